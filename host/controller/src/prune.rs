//! Deletes objects that are no longer wanted.

use futures::future::join_all;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Mutated, Objects};
use mcp_operator_core::owner_reference::belongs_to;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::ApiError;
use strum::IntoEnumIterator;

use crate::cache::ObjectName;
use crate::context::Context;
use crate::delete::delete;
use crate::error::ReconcileError;

/// Deletes what this server owns and does not want any more. One that cannot be deleted keeps no other from it.
pub(crate) async fn prune(
    context: &Context,
    server: &McpServer,
    wanted: &Objects<Mutated>,
) -> Result<(), ReconcileError> {
    let key = ServerKey::of(server);
    let unwanted = ManagedKind::iter().flat_map(|kind| {
        let names = context.objects.keys_of(kind, &key).into_iter();
        names
            .filter(move |name| !is_wanted(wanted, kind, name))
            .map(move |name| async move {
                let pruned = prune_one(context, server, kind, &name).await;
                pruned.map_err(|error| ReconcileError::about(kind, error))
            })
    });
    join_all(unwanted).await.into_iter().collect()
}

fn is_wanted(wanted: &Objects<Mutated>, kind: ManagedKind, (namespace, name): &ObjectName) -> bool {
    wanted.iter().any(|manifest| {
        manifest.kind == kind && manifest.namespace() == namespace && manifest.name() == name
    })
}

async fn prune_one(
    context: &Context,
    server: &McpServer,
    kind: ManagedKind,
    (namespace, name): &ObjectName,
) -> Result<(), ApiError> {
    match context.objects.get(kind, namespace, name) {
        Some(object) if belongs_to(&object, server) => {
            delete(&context.client, kind, &object, "no longer wanted").await
        }
        _ => Ok(()),
    }
}
