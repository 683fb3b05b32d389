//! `cargo xtask kubeconfig`

use anyhow::{Result, bail};
use mcp_cluster::Cache;

use super::background::Background;

pub(crate) fn run() -> Result<()> {
    let Some(kubeconfig) = Background::open(&Cache::open()?)?.kubeconfig() else {
        bail!("no cluster is up: start one with `cargo xtask up`");
    };
    println!("{}", kubeconfig.display());
    Ok(())
}
