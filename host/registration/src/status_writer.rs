//! Writes `LiteLLMRegistered`, and the name that the gateway knows a server by.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND, field_managers};
use mcp_operator_api::v1alpha1::{LiteLlmStatus, McpServer};
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

/// What is said about the registration of a server.
#[derive(Clone)]
pub(crate) struct Said<'a> {
    pub(crate) server: &'a McpServer,
    pub(crate) draft: ConditionDraft,
    /// The name that the gateway knows it by; empty where it has none.
    pub(crate) registered_name: String,
    /// The generation that the gateway has, which may be an older one than the server's.
    pub(crate) generation: Option<i64>,
    /// Where the gateway is told that it is, where that is elsewhere.
    pub(crate) remote_url: Option<String>,
}

/// A status to be written.
struct StatusUpdate {
    server: ServerKey,
    uid: String,
    body: Value,
}

impl StatusWriter<'_> {
    /// Writes what the statuses do not say yet; whether all could be written.
    pub(crate) async fn write(&self, said: &[Said<'_>]) -> bool {
        let updates: Vec<StatusUpdate> = said
            .iter()
            .filter_map(|said| status_update(&self.servers.latest(said.server), said))
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
fn status_update(server: &McpServer, said: &Said<'_>) -> Option<StatusUpdate> {
    let status = server.status.as_ref();
    let conditions = status.map_or(&[][..], |status| &status.conditions);
    let condition = said
        .draft
        .condition(conditions, said.generation, Timestamp::now());
    let litellm = LiteLlmStatus {
        name: Some(said.registered_name.clone()).filter(|name| !name.is_empty()),
        url: said.remote_url.clone(),
    };
    let known = status.and_then(|status| status.litellm.as_ref());
    if unchanged(std::slice::from_ref(&condition), conditions)
        && known.unwrap_or(&LiteLlmStatus::default()) == &litellm
    {
        return None;
    }
    let key = ServerKey::of(server);
    let mut status = json!({ "conditions": [condition] });
    if litellm != LiteLlmStatus::default() {
        status["litellm"] = json!(litellm);
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
