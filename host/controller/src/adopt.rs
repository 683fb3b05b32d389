//! Keeps the pods of a Deployment that was adopted, and tells what will be other when they are replaced.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use mcp_operator_api::names::annotations::{ADOPT, SECRETS_SEEN};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::adoption::{self, Adoption};
use mcp_operator_core::build::child_name;
use mcp_operator_core::manifest::{ManagedKind, Mutated, Objects};
use mcp_operator_core::server_key::ServerKey;

use crate::context::Context;
use crate::older_templates::live_deployment;

/// More differences than people read make a status that nobody does.
const MAX_DIFFERENCES: usize = 12;

/// Makes the objects fit what was adopted.
pub(crate) fn keep_adopted(
    context: &Context,
    server: &McpServer,
    objects: &mut Objects<Mutated>,
) -> Option<Adoption> {
    let live = live_deployment(context, server);
    let adoption = adoption::keep(objects, &live, &server.name_any());
    let differences = match &adoption {
        Some(Adoption::Kept(differences)) => differences.clone(),
        _ => Vec::new(),
    };
    context.kept_pods.record(ServerKey::of(server), differences);
    adoption
}

/// Secrets that somebody made by hand get our label after their pods have read them: what is seen then for the first time has not
/// come just now, and replaces no pods.
pub(crate) fn expect_no_secret(objects: &mut Objects<Mutated>) {
    for deployment in objects.of_kind_mut(ManagedKind::Deployment) {
        if let Some(annotations) = deployment.object["metadata"]["annotations"].as_object_mut()
            && annotations
                .get(SECRETS_SEEN)
                .is_some_and(|seen| seen == "{}")
        {
            annotations.remove(SECRETS_SEEN);
        }
    }
}

/// In what the pods that were adopted differ from what their MCPServer says, by server.
#[derive(Default)]
pub(crate) struct KeptPods(Mutex<HashMap<ServerKey, Vec<String>>>);

impl KeptPods {
    fn record(&self, server: ServerKey, differences: Vec<String>) {
        if differences.is_empty() {
            self.lock().remove(&server);
        } else {
            self.lock().insert(server, differences);
        }
    }

    /// A sentence about it, for the status.
    pub(crate) fn note(&self, server: &ServerKey) -> Option<String> {
        let known = self.lock();
        let differences = known.get(server)?;
        let more = differences.len().saturating_sub(MAX_DIFFERENCES);
        let first = &differences[..differences.len() - more];
        let mut paths = first.join(", ");
        if more > 0 {
            paths = format!("{paths}, and {more} more");
        }
        Some(format!(
            "its pods are those that were adopted, until the MCPServer changes or `kubectl annotate deployment {} --namespace {} {ADOPT}-`: then they are replaced, and the template is another in {paths}",
            child_name(&server.name),
            server.namespace
        ))
    }

    /// Forgets a server that is gone.
    pub(crate) fn forget(&self, server: &ServerKey) {
        self.lock().remove(server);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerKey, Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
