//! Deletes objects that are no longer wanted.

use futures::future::try_join_all;
use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use kube::{Client, ResourceExt};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use strum::IntoEnumIterator;
use tracing::info;

use super::create::is_ours;
use super::live::Live;
use super::observe::reference;
use super::patch::api;
use crate::error::Error;

/// Deletes what this server owns and does not want any more.
pub(super) async fn prune(
    client: &Client,
    live: &Live,
    server: &McpServer,
    wanted: &[Manifest],
) -> Result<(), Error> {
    let unwanted = ManagedKind::iter().flat_map(|kind| {
        let names = live.names_of(kind, &reference(server)).into_iter();
        names
            .filter(move |name| !is_wanted(wanted, kind, name))
            .map(move |name| prune_one(client, live, server, kind, name))
    });
    try_join_all(unwanted).await.map(drop)
}

fn is_wanted(wanted: &[Manifest], kind: ManagedKind, name: &str) -> bool {
    wanted
        .iter()
        .any(|manifest| manifest.kind == kind && manifest.name() == name)
}

async fn prune_one(
    client: &Client,
    live: &Live,
    server: &McpServer,
    kind: ManagedKind,
    name: String,
) -> Result<(), Error> {
    let namespace = server.namespace().unwrap_or_default();
    let Some(object) = live
        .get(kind, &namespace, &name)
        .filter(|object| is_ours(&**object, server))
    else {
        return Ok(());
    };
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    // By uid: an object that somebody made in the meantime is not the one that was looked at.
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: object.uid(),
            resource_version: None,
        }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match api(client, kind, &namespace).delete(&name, &params).await {
        Ok(_) => info!(
            kind = kind.name(),
            namespace, name, "deleted, no longer wanted"
        ),
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => {
            return Err(Error::api(
                format!("delete {} {namespace}/{name}", kind.name()),
                error,
            ));
        }
    }
    Ok(())
}
