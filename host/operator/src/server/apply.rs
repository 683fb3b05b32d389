//! Writes objects: only what differs, by server-side apply.

use futures::future::join_all;
use kube::ResourceExt;
use kube::runtime::events::EventType;
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::ownership::{Difference, differences};
use mcp_operator_core::status::Failure;
use tracing::info;

use super::context::Context;
use super::create::{create, foreign, is_ours};
use super::live::State;
use super::patch::{hand_over_replicas, patch};
use super::write_status::tell;
use crate::error::Error;

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

/// What became of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Applied {
    /// It was as it should be, or cannot be otherwise.
    Same,
    /// It was made.
    Made,
    /// It was changed.
    Changed,
}

/// Makes the objects as they should be: all at the same time, the Deployment after them. Says whether that was made now.
///
/// One that fails keeps the others from nothing, except that no pod is made without what it cannot start without.
pub(super) async fn apply(
    context: &Context,
    server: &McpServer,
    manifests: &[Manifest],
) -> Result<bool, Stopped> {
    let served = manifests
        .iter()
        .filter(|manifest| context.live.state(manifest.kind) != State::NotServed);
    let (pods, needs): (Vec<_>, Vec<_>) =
        served.partition(|manifest| manifest.kind == ManagedKind::Deployment);
    let (mut failed, mut made) = (Vec::new(), Vec::new());
    for stage in [needs, pods] {
        for (kind, result) in apply_all(context, server, stage).await {
            match result {
                Ok(Applied::Made) => made.push(kind),
                Ok(Applied::Same | Applied::Changed) => {}
                Err(error) => failed.push((kind, error)),
            }
        }
        if failed.iter().any(|(kind, _)| kind.is_needed_by_pods()) {
            break;
        }
    }
    // What comes from somebody else's API is the last to be told.
    failed.sort_by_key(|(kind, _)| (kind.is_optional(), !kind.is_needed_by_pods(), *kind));
    match failed.into_iter().next() {
        None => Ok(made.contains(&ManagedKind::Deployment)),
        Some((kind, error)) => Err(Stopped {
            kind: Some(kind),
            error,
        }),
    }
}

async fn apply_all(
    context: &Context,
    server: &McpServer,
    manifests: Vec<&Manifest>,
) -> Vec<(ManagedKind, Result<Applied, Error>)> {
    let applied = manifests
        .into_iter()
        .map(|manifest| async { (manifest.kind, apply_one(context, server, manifest).await) });
    join_all(applied).await
}

async fn apply_one(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
) -> Result<Applied, Error> {
    let (client, live) = (&context.client, &context.live);
    let namespace = server.namespace().unwrap_or_default();
    if let State::Forbidden(message) = live.state(manifest.kind) {
        let kind = manifest.kind.name();
        return Err(Error::Unreadable { kind, message });
    }
    let mut put_back = false;
    let (applied, written) = match live.get(manifest.kind, &namespace, manifest.name()) {
        Some(object) if !is_ours(&*object, server) => {
            return Err(foreign(manifest, &namespace, server, &*object));
        }
        Some(object) => {
            let object = serde_json::to_value(&*object).unwrap_or_default();
            let differences = differences(&manifest.object, &object, field_managers::SERVER);
            if differences.is_empty() {
                live.agreed(manifest, &namespace);
                return Ok(Applied::Same);
            }
            if live.was_overruled(manifest, &namespace, &differences) {
                return Ok(Applied::Same);
            }
            put_back = live.had_agreed(manifest, &namespace);
            hand_over_replicas(client, manifest, &object, &namespace).await?;
            let written = patch(client, manifest, &manifest.object, &namespace).await?;
            (Applied::Changed, written)
        }
        None => {
            let written = create(context, server, manifest, &namespace).await?;
            (Applied::Made, written)
        }
    };
    let (kind, name) = (manifest.kind.name(), manifest.name());
    info!(kind, namespace, name, put_back, "applied");
    let answer = serde_json::to_value(&written).unwrap_or_default();
    live.written(manifest.kind, written);
    let left = differences(&manifest.object, &answer, field_managers::SERVER);
    if left.is_empty() {
        live.agreed(manifest, &namespace);
    }
    let paths = paths(&left);
    if live.overruled(manifest, &namespace, left) {
        let note = format!(
            "{kind} {name} is changed by somebody else, such as an admission webhook, as it is written; the operator does not insist on {paths}"
        );
        tell(
            &context.recorder,
            server,
            EventType::Warning,
            "Overruled",
            note,
        )
        .await;
    } else if put_back {
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
    Ok(applied)
}

fn paths(differences: &[Difference]) -> String {
    let paths: Vec<&str> = differences
        .iter()
        .map(|difference| difference.path.as_str())
        .collect();
    paths.join(", ")
}
