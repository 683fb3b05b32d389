//! Writes the status of an MCPServer, and tells its transitions as events.

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, Resource, ResourceExt};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND, conditions, field_managers};
use mcp_operator_api::v1alpha1::{McpServer, McpServerStatus, Phase};
use mcp_operator_core::conditions::find;
use mcp_operator_core::pass::Pass;
use mcp_operator_core::status;
use serde_json::json;
use tracing::info;

use super::told::Told;
use crate::error::Error;
use crate::events::Events;
use crate::settings::Settings;

/// The status that a pass led to, if it says anything new.
pub(super) fn news(
    server: &McpServer,
    pass: &Pass,
    settings: &Settings,
) -> Option<McpServerStatus> {
    let status = status::compute(server, pass, &settings.build, Timestamp::now());
    let previous = server.status.clone().unwrap_or_default();
    status::differs(&status, &previous).then_some(status)
}

/// Writes a status.
pub(super) async fn write_status(
    client: &Client,
    events: &Events,
    told: &Told,
    server: &McpServer,
    status: &McpServerStatus,
) -> Result<(), Error> {
    let (name, namespace) = (server.name_any(), server.namespace().unwrap_or_default());
    let api: Api<McpServer> = Api::namespaced(client.clone(), &namespace);
    let body = json!({ "apiVersion": API_VERSION, "kind": SERVER_KIND, "metadata": { "name": name }, "status": status });
    let params = PatchParams::apply(field_managers::SERVER).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        // Deleted in the meantime: there is nobody left to tell.
        Err(kube::Error::Api(error)) if error.code == 404 => return Ok(()),
        Err(error) => {
            let action = format!("write status of MCPServer {namespace}/{name}");
            return Err(Error::api(action, error));
        }
        Ok(answer) => told.wrote(answer),
    }
    info!(namespace, name, phase = ?status.phase, "status");
    tell_transition(events, server, status).await;
    Ok(())
}

/// An event where the summary changed its reason.
async fn tell_transition(events: &Events, server: &McpServer, status: &McpServerStatus) {
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
    tell(events, server, type_, &ready.reason, ready.message.clone()).await;
}

/// An event about a server.
pub(super) async fn tell(
    events: &Events,
    server: &McpServer,
    type_: EventType,
    reason: &str,
    note: String,
) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note.chars().take(1000).collect()),
        action: "Reconcile".into(),
        secondary: None,
    };
    events.publish(&event, &server.object_ref(&())).await;
}
