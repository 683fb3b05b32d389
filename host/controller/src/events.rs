//! Events about MCPServers.

use kube::Resource;
use kube::runtime::events::{Event, EventType};
use mcp_operator_api::v1alpha1::McpServer;

use crate::context::Context;

/// Longest note that the API server takes in an event is 1 kB.
const LONGEST_NOTE: usize = 1000;

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
        note: Some(note.chars().take(LONGEST_NOTE).collect()),
        action: "Reconcile".into(),
        secondary: None,
    };
    context
        .events
        .publish(&event, &server.object_ref(&()))
        .await;
}
