//! Deletes objects that are no longer wanted.

use futures::future::join_all;
use kube::Client;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::owner::belongs_to;
use strum::IntoEnumIterator;

use super::apply::Stopped;
use super::delete::delete;
use super::live::{Key, Live};
use super::reference::reference;
use crate::error::Error;

/// Deletes what this server owns and does not want any more. One that cannot be deleted keeps no other from it.
pub(super) async fn prune(
    client: &Client,
    live: &Live,
    server: &McpServer,
    wanted: &[Manifest],
) -> Result<(), Stopped> {
    let unwanted = ManagedKind::iter().flat_map(|kind| {
        let keys = live.keys_of(kind, &reference(server)).into_iter();
        keys.filter(move |key| !is_wanted(wanted, kind, key))
            .map(move |key| async move {
                let pruned = prune_one(client, live, server, kind, &key).await;
                pruned.map_err(|error| Stopped {
                    kind: Some(kind),
                    error,
                })
            })
    });
    join_all(unwanted).await.into_iter().collect()
}

fn is_wanted(wanted: &[Manifest], kind: ManagedKind, (namespace, name): &Key) -> bool {
    wanted.iter().any(|manifest| {
        manifest.kind == kind && manifest.namespace() == namespace && manifest.name() == name
    })
}

async fn prune_one(
    client: &Client,
    live: &Live,
    server: &McpServer,
    kind: ManagedKind,
    (namespace, name): &Key,
) -> Result<(), Error> {
    match live.get(kind, namespace, name) {
        Some(object) if belongs_to(&*object, server) => {
            delete(client, kind, &object, "no longer wanted").await
        }
        _ => Ok(()),
    }
}
