//! One write by server-side apply.

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::field_managers;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::ssa_diff;
use mcp_operator_runtime::{ApiError, request};
use serde_json::{Value, json};

pub(crate) fn api(client: &Client, kind: ManagedKind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.api_resource())
}

/// Applies an object, which is a manifest's or says more, as the field manager of this controller.
pub(crate) async fn server_side_apply(
    client: &Client,
    manifest: &Manifest,
    object: &Value,
) -> Result<DynamicObject, ApiError> {
    let params = PatchParams::apply(field_managers::SERVER).force();
    let api = api(client, manifest.kind, manifest.namespace());
    let patch = Patch::Apply(object);
    request(
        || format!("apply {} {}", manifest.kind.name(), path(manifest)),
        api.patch(manifest.name(), &params, &patch),
    )
    .await
}

/// A HorizontalPodAutoscaler takes the number of pods over from us. If we just left the field out, the API server would
/// set it to its default, one pod; so another field manager holds it until the autoscaler writes it.
pub(crate) async fn hand_over_replicas(
    client: &Client,
    manifest: &Manifest,
    live: &Value,
) -> Result<(), ApiError> {
    let is_ours = ssa_diff::owns(live, field_managers::SERVER, &["spec", "replicas"]);
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
    let api = api(client, manifest.kind, manifest.namespace());
    let patch = Patch::Apply(&held);
    let written = request(
        || format!("hand over replicas of Deployment {}", path(manifest)),
        api.patch(manifest.name(), &params, &patch),
    );
    written.await.map(drop)
}

/// `namespace/name` of an object.
pub(crate) fn path(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.namespace(), manifest.name())
}
