//! Writes objects: only what differs, by server-side apply.

use std::time::Duration;

use futures::future::try_join_all;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::ownership;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::info;

use super::live::Live;
use crate::error::Error;

/// Longest wait for one answer: the client itself would try again for minutes.
const PATIENCE: Duration = Duration::from_secs(15);

/// Makes the objects as they should be. What a pod needs to start comes first, all of it at the same
/// time; the Deployment comes last.
pub(super) async fn apply(
    client: &Client,
    live: &Live,
    server: &McpServer,
    manifests: &[Manifest],
) -> Result<(), Error> {
    let (pods, needs): (Vec<_>, Vec<_>) = manifests
        .iter()
        .partition(|manifest| manifest.kind == ManagedKind::Deployment);
    for stage in [needs, pods] {
        try_join_all(
            stage
                .into_iter()
                .map(|manifest| apply_one(client, live, server, manifest)),
        )
        .await?;
    }
    Ok(())
}

async fn apply_one(
    client: &Client,
    live: &Live,
    server: &McpServer,
    manifest: &Manifest,
) -> Result<(), Error> {
    let namespace = server.namespace().unwrap_or_default();
    match live.get(manifest.kind, &namespace, manifest.name()) {
        Some(object) if !is_ours(&*object, server) => return Err(foreign(manifest, &namespace)),
        Some(object) => {
            let live = serde_json::to_value(&*object).unwrap_or_default();
            if !ownership::would_change(&manifest.object, &live, field_managers::SERVER) {
                return Ok(());
            }
            hand_over_replicas(client, manifest, &live, &namespace).await?;
        }
        None => refuse_foreign(client, server, manifest, &namespace).await?,
    }
    let written = patch(client, manifest, &namespace).await?;
    info!(
        kind = manifest.kind.name(),
        namespace,
        name = manifest.name(),
        "applied"
    );
    live.written(manifest.kind, written);
    Ok(())
}

/// A HorizontalPodAutoscaler takes the number of pods over from us. If we just left the field out, the API server would
/// set it to its default, one pod; so another manager holds it until the autoscaler writes it.
async fn hand_over_replicas(
    client: &Client,
    manifest: &Manifest,
    live: &Value,
    namespace: &str,
) -> Result<(), Error> {
    let is_ours = ownership::owns(live, field_managers::SERVER, &["spec", "replicas"]);
    if manifest.kind != ManagedKind::Deployment
        || !is_ours
        || !manifest.object["spec"]["replicas"].is_null()
    {
        return Ok(());
    }
    let held = json!({
        "apiVersion": manifest.object["apiVersion"], "kind": manifest.object["kind"],
        "metadata": { "name": manifest.name() }, "spec": { "replicas": live["spec"]["replicas"] },
    });
    let params = PatchParams::apply(field_managers::AUTOSCALING).force();
    let written = api(client, manifest.kind, namespace)
        .patch(manifest.name(), &params, &Patch::Apply(&held))
        .await;
    written.map(drop).map_err(|error| {
        Error::api(
            format!(
                "hand over replicas of Deployment {namespace}/{}",
                manifest.name()
            ),
            error,
        )
    })
}

async fn patch(
    client: &Client,
    manifest: &Manifest,
    namespace: &str,
) -> Result<DynamicObject, Error> {
    let params = PatchParams::apply(field_managers::SERVER).force();
    let api = api(client, manifest.kind, namespace);
    let patch = Patch::Apply(&manifest.object);
    let action = || {
        format!(
            "apply {} {namespace}/{}",
            manifest.kind.name(),
            manifest.name()
        )
    };
    let answer = timeout(PATIENCE, api.patch(manifest.name(), &params, &patch)).await;
    answer
        .map_err(|_| Error::Timeout {
            action: action(),
            seconds: PATIENCE.as_secs(),
        })?
        .map_err(|error| Error::api(action(), error))
}

/// An object that the watch does not show may exist without our label: then it is not ours, and a
/// forced apply would take it over.
async fn refuse_foreign(
    client: &Client,
    server: &McpServer,
    manifest: &Manifest,
    namespace: &str,
) -> Result<(), Error> {
    let api = api(client, manifest.kind, namespace);
    let found = api
        .get_metadata_opt(manifest.name())
        .await
        .map_err(|error| {
            Error::api(
                format!(
                    "get {} {namespace}/{}",
                    manifest.kind.name(),
                    manifest.name()
                ),
                error,
            )
        })?;
    match found {
        Some(object) if !is_ours(&object, server) => Err(foreign(manifest, namespace)),
        _ => Ok(()),
    }
}

/// Whether the MCPServer is the controller that owns the object.
pub(super) fn is_ours(object: &impl ResourceExt, server: &McpServer) -> bool {
    let uid = server.uid();
    object
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && Some(&owner.uid) == uid.as_ref())
}

fn foreign(manifest: &Manifest, namespace: &str) -> Error {
    Error::ForeignObject {
        kind: manifest.kind.name(),
        name: format!("{namespace}/{}", manifest.name()),
    }
}

pub(super) fn api(client: &Client, kind: ManagedKind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.api_resource())
}
