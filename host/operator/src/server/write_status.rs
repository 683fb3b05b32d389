//! Writes the status of an MCPServer, and tells its transitions as events.

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Client, Resource, ResourceExt};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND, conditions, field_managers};
use mcp_operator_api::v1alpha1::{McpServer, McpServerStatus, Phase};
use mcp_operator_core::conditions::find;
use mcp_operator_core::status::{self, Pass};
use serde_json::json;
use tracing::{debug, info};

use crate::error::Error;
use crate::settings::Settings;

/// Writes the status that a pass led to, if it says anything new.
pub(super) async fn write_status(
    client: &Client,
    recorder: &Recorder,
    settings: &Settings,
    server: &McpServer,
    pass: &Pass,
) -> Result<(), Error> {
    let previous = server.status.clone().unwrap_or_default();
    let status = status::compute(server, pass, &settings.build, Timestamp::now());
    if !status::differs(&status, &previous) {
        return Ok(());
    }
    let (name, namespace) = (server.name_any(), server.namespace().unwrap_or_default());
    let api: Api<McpServer> = Api::namespaced(client.clone(), &namespace);
    let body = json!({ "apiVersion": API_VERSION, "kind": SERVER_KIND, "metadata": { "name": name }, "status": status });
    let params = PatchParams::apply(field_managers::SERVER).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        // Deleted in the meantime: there is nobody left to tell.
        Err(kube::Error::Api(error)) if error.code == 404 => return Ok(()),
        result => result.map_err(|error| {
            Error::api(
                format!("write status of MCPServer {namespace}/{name}"),
                error,
            )
        })?,
    };
    info!(namespace, name, phase = ?status.phase, "status");
    tell_transition(recorder, server, &previous, &status).await;
    Ok(())
}

/// An event where the summary changed its reason.
async fn tell_transition(
    recorder: &Recorder,
    server: &McpServer,
    previous: &McpServerStatus,
    status: &McpServerStatus,
) {
    let Some(ready) = find(&status.conditions, conditions::READY) else {
        return;
    };
    if find(&previous.conditions, conditions::READY)
        .is_some_and(|before| before.reason == ready.reason)
    {
        return;
    }
    let type_ = if status.phase == Some(Phase::Failed) {
        EventType::Warning
    } else {
        EventType::Normal
    };
    tell(
        recorder,
        server,
        type_,
        &ready.reason,
        ready.message.clone(),
    )
    .await;
}

/// An event about a server. One that cannot be written is no reason to stop.
pub(super) async fn tell(
    recorder: &Recorder,
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
    if let Err(error) = recorder.publish(&event, &server.object_ref(&())).await {
        debug!(%error, "event not written");
    }
}
