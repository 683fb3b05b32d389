//! Deletes objects that are no longer wanted.

use futures::future::join_all;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Mutated, Objects};
use mcp_operator_core::older_templates::OlderTemplates;
use mcp_operator_core::owner_reference::belongs_to;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::ApiError;
use serde_json::Value;
use strum::IntoEnumIterator;

use crate::cache::ObjectName;
use crate::context::Context;
use crate::delete::delete;
use crate::error::ReconcileError;
use crate::older_templates::live_deployment;

/// What became of the objects that are no longer wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pruned {
    /// They are gone.
    All,
    /// Some stay until the rollout is complete: pods of older templates may need them.
    SomeLater,
}

/// Deletes what this server owns and does not want any more. One that cannot be deleted keeps no other from it.
pub(crate) async fn prune(
    context: &Context,
    server: &McpServer,
    wanted: &Objects<Mutated>,
) -> Result<Pruned, ReconcileError> {
    let key = ServerKey::of(server);
    let deployment = live_deployment(context, server);
    let unwanted = ManagedKind::iter().flat_map(|kind| {
        let (names, deployment) = (context.objects.keys_of(kind, &key).into_iter(), &deployment);
        names
            .filter(move |name| !is_wanted(wanted, kind, name))
            .map(move |name| async move {
                let pruned = prune_one(context, server, kind, &name, deployment).await;
                pruned.map_err(|error| ReconcileError::about(kind, error))
            })
    });
    let pruned: Vec<Pruned> = join_all(unwanted)
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    Ok(if pruned.contains(&Pruned::SomeLater) {
        Pruned::SomeLater
    } else {
        Pruned::All
    })
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
    deployment: &Value,
) -> Result<Pruned, ApiError> {
    match context.objects.get(kind, namespace, name) {
        Some(object) if belongs_to(&object, server) => {
            if kind.is_read_by_pods() && OlderTemplates::of(deployment).may_need(name) {
                return Ok(Pruned::SomeLater);
            }
            delete(&context.client, kind, &object, "no longer wanted").await?;
        }
        _ => {}
    }
    Ok(Pruned::All)
}
