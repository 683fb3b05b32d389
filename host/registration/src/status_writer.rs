//! Writes `LiteLLMRegistered`, and the name that the gateway knows a server by.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND, field_managers};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::{ConditionDraft, unchanged};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{ServerStore, request};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Writes that go on at the same time.
const CONCURRENCY: usize = 8;

pub(crate) struct StatusWriter<'a> {
    pub(crate) client: &'a Client,
    pub(crate) servers: &'a ServerStore,
    /// No further write begins after it.
    pub(crate) stop: &'a CancellationToken,
}

/// A status to be written.
struct StatusUpdate {
    server: ServerKey,
    uid: String,
    body: Value,
}

impl StatusWriter<'_> {
    /// Writes what the statuses do not say yet; whether all could be written. Each server comes with its condition and the
    /// registered name.
    pub(crate) async fn write(&self, said: &[(&McpServer, ConditionDraft, String)]) -> bool {
        let updates: Vec<StatusUpdate> = said
            .iter()
            .filter_map(|(server, draft, registered_name)| {
                status_update(&self.servers.latest(server), draft, registered_name)
            })
            .collect();
        stream::iter(updates)
            .map(|update| self.write_one(update))
            .buffer_unordered(CONCURRENCY)
            .fold(true, |all, written| async move { all && written })
            .await
    }

    async fn write_one(&self, update: StatusUpdate) -> bool {
        if self.stop.is_cancelled() {
            return false;
        }
        let ServerKey { namespace, name } = &update.server;
        let api: Api<McpServer> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams::apply(field_managers::REGISTRY).force();
        let patch = Patch::Apply(&update.body);
        let action = || format!("write status of MCPServer {}", update.server);
        match request(action, api.patch_status(name, &params, &patch)).await {
            // A namesake that was created meanwhile: the API server takes no precondition by uid for a status. The next pass
            // says what is true of it.
            Ok(answer) if answer.metadata.uid.as_ref() != Some(&update.uid) => false,
            Ok(answer) => {
                self.servers.record_write(answer);
                true
            }
            // Deleted in the meantime: nobody reads its conditions.
            Err(error) if error.is_not_found() => true,
            Err(error) => {
                warn!(namespace, name, %error, "LiteLLMRegistered not written");
                false
            }
        }
    }
}

/// What the status of a server does not say yet.
fn status_update(
    server: &McpServer,
    draft: &ConditionDraft,
    registered_name: &str,
) -> Option<StatusUpdate> {
    let status = server.status.as_ref();
    let conditions = status.map_or(&[][..], |status| &status.conditions);
    let condition = draft.condition(conditions, server.metadata.generation, Timestamp::now());
    let litellm = status.and_then(|status| status.litellm.as_ref());
    let known_name = litellm.and_then(|litellm| litellm.name.as_deref());
    if unchanged(std::slice::from_ref(&condition), conditions)
        && known_name.unwrap_or_default() == registered_name
    {
        return None;
    }
    let key = ServerKey::of(server);
    let mut status = json!({ "conditions": [condition] });
    if !registered_name.is_empty() {
        status["litellm"] = json!({ "name": registered_name });
    }
    let uid = server.metadata.uid.clone()?;
    let metadata = json!({ "name": key.name, "uid": uid });
    let body = json!({ "apiVersion": API_VERSION, "kind": SERVER_KIND, "metadata": metadata, "status": status });
    Some(StatusUpdate {
        server: key,
        uid,
        body,
    })
}

#[cfg(test)]
#[path = "status_writer_tests.rs"]
mod tests;
