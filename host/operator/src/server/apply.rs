//! Writes objects: only what differs, by server-side apply.

use std::time::Duration;

use futures::future::join_all;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::ownership;
use mcp_operator_core::status::Failure;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::info;

use super::context::Context;
use super::live::State;
use super::write_status::tell;
use crate::error::Error;

/// Longest wait for one answer: the client itself would try again for minutes.
const PATIENCE: Duration = Duration::from_secs(15);

/// What stopped a pass.
pub(super) struct Stopped {
    /// Kind of the object that it happened to. None: all of them.
    pub(super) kind: Option<ManagedKind>,
    pub(super) error: Error,
}

impl Stopped {
    /// As conditions tell it.
    pub(super) fn failure(&self) -> Failure {
        Failure {
            kind: self.kind,
            ..self.error.failure()
        }
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self { kind: None, error }
    }
}

/// Makes the objects as they should be: all at the same time, the Deployment after them.
///
/// One that fails keeps the others from nothing, except that no pod is made without what it cannot start without.
pub(super) async fn apply(
    context: &Context,
    server: &McpServer,
    manifests: &[Manifest],
) -> Result<(), Stopped> {
    let served = manifests
        .iter()
        .filter(|manifest| context.live.state(manifest.kind) != State::NotServed);
    let (pods, needs): (Vec<_>, Vec<_>) =
        served.partition(|manifest| manifest.kind == ManagedKind::Deployment);
    let mut failed = Vec::new();
    for stage in [needs, pods] {
        failed.extend(apply_all(context, server, stage).await);
        if failed.iter().any(|(kind, _)| kind.is_needed_by_pods()) {
            break;
        }
    }
    // What comes from somebody else's API is the last to be told.
    failed.sort_by_key(|(kind, _)| (kind.is_optional(), !kind.is_needed_by_pods(), *kind));
    failed.into_iter().next().map_or(Ok(()), |(kind, error)| {
        Err(Stopped {
            kind: Some(kind),
            error,
        })
    })
}

async fn apply_all(
    context: &Context,
    server: &McpServer,
    manifests: Vec<&Manifest>,
) -> Vec<(ManagedKind, Error)> {
    let applied = manifests.into_iter().map(|manifest| async {
        apply_one(context, server, manifest)
            .await
            .map_err(|error| (manifest.kind, error))
    });
    join_all(applied)
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect()
}

async fn apply_one(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
) -> Result<(), Error> {
    let (client, live) = (&context.client, &context.live);
    let namespace = server.namespace().unwrap_or_default();
    if let State::Forbidden(message) = live.state(manifest.kind) {
        let kind = manifest.kind.name();
        return Err(Error::Unreadable { kind, message });
    }
    let mut put_back = false;
    match live.get(manifest.kind, &namespace, manifest.name()) {
        Some(object) if !is_ours(&*object, server) => return Err(foreign(manifest, &namespace)),
        Some(object) => {
            let object = serde_json::to_value(&*object).unwrap_or_default();
            if !ownership::would_change(&manifest.object, &object, field_managers::SERVER) {
                live.agreed(manifest, &namespace);
                return Ok(());
            }
            put_back = live.had_agreed(manifest, &namespace);
            hand_over_replicas(client, manifest, &object, &namespace).await?;
        }
        None => refuse_foreign(client, server, manifest, &namespace).await?,
    }
    let written = patch(client, manifest, &namespace).await?;
    let (kind, name) = (manifest.kind.name(), manifest.name());
    info!(kind, namespace, name, put_back, "applied");
    live.written(manifest.kind, written);
    if put_back {
        let note = format!(
            "{kind} {name} was changed by somebody else in fields that the MCPServer decides about; they are as before again"
        );
        tell(
            &context.recorder,
            server,
            EventType::Warning,
            "PutBack",
            note,
        )
        .await;
    }
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
