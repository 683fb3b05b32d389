//! One write by server-side apply.

use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::field_managers;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::ownership;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::error::Error;

/// Longest wait for one answer: the client itself would try again for minutes.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn api(client: &Client, kind: ManagedKind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &kind.api_resource())
}

/// A HorizontalPodAutoscaler takes the number of pods over from us. If we just left the field out, the API server would
/// set it to its default, one pod; so another manager holds it until the autoscaler writes it.
pub(super) async fn hand_over_replicas(
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

/// One server-side apply of an object, which is a manifest's or says more.
pub(super) async fn patch(
    client: &Client,
    manifest: &Manifest,
    object: &Value,
    namespace: &str,
) -> Result<DynamicObject, Error> {
    let params = PatchParams::apply(field_managers::SERVER).force();
    let api = api(client, manifest.kind, namespace);
    let patch = Patch::Apply(object);
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
