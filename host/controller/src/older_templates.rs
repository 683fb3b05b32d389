//! Keeps what pods of older templates need until there are none.

use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build::child_name;
use mcp_operator_core::manifest::{ManagedKind, Mutated, Objects};
use mcp_operator_core::older_templates::{OlderTemplates, keep_keys};
use mcp_operator_core::owner_reference::belongs_to;
use mcp_operator_core::server_key::ServerKey;
use serde_json::Value;

use crate::context::Context;

/// Leaves keys in ExternalSecrets that older pods may need, and says whether there are any.
pub(crate) fn keep_fetching(
    context: &Context,
    server: &McpServer,
    objects: &mut Objects<Mutated>,
) -> bool {
    let deployment = live_deployment(context, server);
    let older = OlderTemplates::of(&deployment);
    let mut has_kept = false;
    for manifest in objects.of_kind_mut(ManagedKind::ExternalSecret) {
        let live = context
            .objects
            .get(manifest.kind, manifest.namespace(), manifest.name());
        let live = live.filter(|live| belongs_to(live, server));
        if let Some(live) = live.and_then(|live| serde_json::to_value(live).ok()) {
            has_kept |= keep_keys(&mut manifest.object, &live, &older);
        }
    }
    has_kept
}

/// The Deployment as the cache shows it; null if there is none of this server, which is no reason to take anything away.
pub(crate) fn live_deployment(context: &Context, server: &McpServer) -> Value {
    let key = ServerKey::of(server);
    let name = child_name(&key.name);
    let found = context
        .objects
        .get(ManagedKind::Deployment, &key.namespace, &name);
    let found = found.filter(|found| belongs_to(found, server));
    found
        .and_then(|found| serde_json::to_value(found).ok())
        .unwrap_or_default()
}
