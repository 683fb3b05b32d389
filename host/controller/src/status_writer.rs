//! Writes the status of an MCPServer where it says something new, and records its transitions as events.

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Api, Resource};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND, conditions, field_managers};
use mcp_operator_api::v1alpha1::{McpServer, McpServerStatus, Phase};
use mcp_operator_core::conditions::find;
use mcp_operator_core::outcome::ReconcileOutcome;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_core::status;
use mcp_operator_runtime::{ApiError, request};
use serde_json::json;
use tracing::info;

use crate::context::Context;
use crate::events::record_event;

/// Writes the status that an outcome leads to, unless the server has it already.
pub(crate) async fn write_status(
    context: &Context,
    server: &McpServer,
    outcome: &ReconcileOutcome,
) -> Result<(), ApiError> {
    let now = Timestamp::now();
    let status = status::compute(server, outcome, &context.settings.build, now);
    let available = find(&status.conditions, conditions::AVAILABLE).cloned();
    context.judged.record_available(server, available, now);
    let previous = server.status.clone().unwrap_or_default();
    if !status::differs(&status, &previous) {
        return Ok(());
    }
    let key = ServerKey::of(server);
    let api: Api<McpServer> = Api::namespaced(context.client.clone(), &key.namespace);
    let body = json!({
        "apiVersion": API_VERSION, "kind": SERVER_KIND,
        "metadata": { "name": key.name, "uid": server.meta().uid },
        "status": status,
    });
    let params = PatchParams::apply(field_managers::SERVER).force();
    let patch = Patch::Apply(&body);
    let written = request(
        || format!("write status of MCPServer {key}"),
        api.patch_status(&key.name, &params, &patch),
    );
    match written.await {
        // Deleted meanwhile: nobody reads its status.
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error),
        // A namesake that was created meanwhile: the API server takes no precondition by uid for a status. Its own reconcile
        // writes its own.
        Ok(answer) if answer.metadata.uid != server.metadata.uid => return Ok(()),
        Ok(answer) => context.servers.record_write(answer),
    }
    info!(namespace = key.namespace, name = key.name, phase = ?status.phase, "status");
    record_transition(context, server, &status).await;
    Ok(())
}

/// An event where the summary changed its reason.
async fn record_transition(context: &Context, server: &McpServer, status: &McpServerStatus) {
    let Some(ready) = find(&status.conditions, conditions::READY) else {
        return;
    };
    let previous = server.status.as_ref();
    let before = previous.and_then(|status| find(&status.conditions, conditions::READY));
    if before.is_some_and(|before| before.reason == ready.reason) {
        return;
    }
    let type_ = if status.phase == Some(Phase::Failed) {
        EventType::Warning
    } else {
        EventType::Normal
    };
    record_event(context, server, type_, &ready.reason, ready.message.clone()).await;
}
