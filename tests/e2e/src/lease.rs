//! The lease of the operator's replicas.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::Kubectl;

use crate::wait::eventually;

/// Waits until a replica leads, by the name that it was started with.
///
/// # Errors
/// When another one does all the time, or none.
pub fn leads(kubectl: &Kubectl, replica: &str, within: Duration) -> Result<()> {
    eventually(&format!("{replica} leads"), within, || {
        let namespace = "--namespace=mcp-operator-system";
        let lease = kubectl.json(&["get", "lease", "mcp-operator-leader", namespace])?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let (holder, _) = holder.split_once('_').unwrap_or_default();
        ensure!(holder == replica, "{holder} leads");
        Ok(())
    })
}
