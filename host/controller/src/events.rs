//! Events about MCPServers.

use kube::Resource;
use kube::runtime::events::{Event, EventType};
use mcp_operator_api::v1alpha1::McpServer;

use crate::context::Context;

/// Records an event about a server. `reason` is a CamelCase word.
pub(crate) async fn record_event(
    context: &Context,
    server: &McpServer,
    type_: EventType,
    reason: &str,
    note: String,
) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Reconcile".into(),
        secondary: None,
    };
    context.events.publish(event, &server.object_ref(&())).await;
}
