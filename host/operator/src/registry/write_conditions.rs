//! Writes `LiteLLMRegistered`: the one condition of the second writer.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND, field_managers};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::{Statement, contained};
use serde_json::json;
use tracing::warn;

/// Writes that go on at the same time.
const CONCURRENCY: usize = 8;

/// Writes the conditions that say something new; whether all could be written.
pub(super) async fn write_conditions(
    client: &Client,
    servers: &[&McpServer],
    about: impl Fn(&McpServer) -> Option<(Statement, String)>,
) -> bool {
    let mut writes = Vec::new();
    for server in servers {
        if let Some((statement, name)) = about(server) {
            writes.push(write(client, server, statement, name));
        }
    }
    stream::iter(writes)
        .buffer_unordered(CONCURRENCY)
        .fold(true, |all, written| async move { all && written })
        .await
}

async fn write(
    client: &Client,
    server: &McpServer,
    statement: Statement,
    registered_name: String,
) -> bool {
    let previous = server.status.clone().unwrap_or_default();
    let condition = statement.condition(
        &previous.conditions,
        server.metadata.generation,
        Timestamp::now(),
    );
    let known = previous
        .litellm
        .as_ref()
        .and_then(|litellm| litellm.name.as_deref())
        .unwrap_or_default();
    if contained(std::slice::from_ref(&condition), &previous.conditions) && known == registered_name
    {
        return true;
    }
    let (name, namespace) = (server.name_any(), server.namespace().unwrap_or_default());
    let mut status = json!({ "conditions": [condition] });
    if !registered_name.is_empty() {
        status["litellm"] = json!({ "name": registered_name });
    }
    // What is said about a server must not be written on another one that has got its name in the meantime.
    let metadata = json!({ "name": name, "uid": server.metadata.uid });
    let body = json!({ "apiVersion": API_VERSION, "kind": SERVER_KIND, "metadata": metadata, "status": status });
    let api: Api<McpServer> = Api::namespaced(client.clone(), &namespace);
    let params = PatchParams::apply(field_managers::REGISTRY).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        Ok(_) => true,
        // Deleted in the meantime: there is nobody left to tell.
        Err(kube::Error::Api(error)) if error.code == 404 => true,
        Err(error) => {
            warn!(namespace, name, %error, "LiteLLMRegistered not written");
            false
        }
    }
}
