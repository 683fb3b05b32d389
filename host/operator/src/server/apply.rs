//! Writes objects: only what differs, by server-side apply.

use futures::future::{join, join_all};
use kube::runtime::events::EventType;
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::owner::belongs_to;
use mcp_operator_core::ownership::{Difference, differences};
use mcp_operator_core::pass::Failure;
use tracing::{info, warn};

use super::contest::{Answer, WINDOW};
use super::context::Context;
use super::create::{create, foreign};
use super::live::State;
use super::patch::{api, hand_over_replicas, patch};
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

/// What a pass came to that nothing stopped.
#[derive(Clone, Copy)]
pub(super) enum Converged {
    /// The objects are as they should be, or are not touched.
    Objects,
    /// The Deployment was made just now: a status would be out of date before it is written.
    PodsAreMade,
    /// Somebody else insists on something in an object, which is left alone for a while.
    Contested,
    /// The MCPServer was deleted, which its watch does not show yet.
    ServerIsGone,
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
    /// It is left as somebody else made it.
    Left,
    /// It is not made, since its MCPServer is gone.
    Ownerless,
}

/// Makes the objects as they should be, all at the same time, except that the Deployment comes after what pods cannot
/// start without, and its autoscaler after the Deployment.
///
/// One that fails keeps the others from nothing, except from what would be wrong without it.
pub(super) async fn apply(
    context: &Context,
    server: &McpServer,
    manifests: &[Manifest],
) -> Result<Converged, Stopped> {
    let (mut needs, mut pods, mut scaling, mut beside) = (vec![], vec![], vec![], vec![]);
    let served = manifests
        .iter()
        .filter(|manifest| context.live.state(manifest.kind) != State::NotServed);
    for manifest in served {
        let stage = match manifest.kind {
            kind if kind.is_needed_by_pods() => &mut needs,
            ManagedKind::Deployment => &mut pods,
            ManagedKind::HorizontalPodAutoscaler => &mut scaling,
            _ => &mut beside,
        };
        stage.push(manifest);
    }
    let in_turn = async {
        let mut applied = apply_all(context, server, &needs).await;
        if applied.iter().all(|(_, result)| result.is_ok()) {
            applied.extend(apply_all(context, server, &pods).await);
        }
        // It would tell everybody that it has nothing to scale, or scale what somebody else has there.
        if pods.iter().all(|pods| is_there(context, server, pods)) {
            applied.extend(apply_all(context, server, &scaling).await);
        }
        applied
    };
    let (mut applied, others) = join(in_turn, apply_all(context, server, &beside)).await;
    applied.extend(others);
    outcome(applied)
}

/// Whether an object exists, and is the server's.
fn is_there(context: &Context, server: &McpServer, manifest: &Manifest) -> bool {
    let found = context
        .live
        .get(manifest.kind, manifest.namespace(), manifest.name());
    found.is_some_and(|found| belongs_to(&*found, server))
}

/// What all of it comes to.
fn outcome(applied: Vec<(ManagedKind, Result<Applied, Error>)>) -> Result<Converged, Stopped> {
    let (mut failed, mut converged) = (Vec::new(), Converged::Objects);
    for (kind, result) in applied {
        match result {
            Ok(Applied::Made) if kind == ManagedKind::Deployment => {
                converged = Converged::PodsAreMade;
            }
            Ok(Applied::Left) => converged = Converged::Contested,
            Ok(Applied::Ownerless) => return Ok(Converged::ServerIsGone),
            Ok(Applied::Same | Applied::Made | Applied::Changed) => {}
            Err(error) => failed.push((kind, error)),
        }
    }
    // What comes from somebody else's API is the last to be told.
    failed.sort_by_key(|(kind, _)| (kind.is_optional(), !kind.is_needed_by_pods(), *kind));
    match failed.into_iter().next() {
        None => Ok(converged),
        Some((kind, error)) => Err(Stopped {
            kind: Some(kind),
            error,
        }),
    }
}

async fn apply_all(
    context: &Context,
    server: &McpServer,
    manifests: &[&Manifest],
) -> Vec<(ManagedKind, Result<Applied, Error>)> {
    let applied = manifests
        .iter()
        .map(|manifest| async { (manifest.kind, apply_one(context, server, manifest).await) });
    join_all(applied).await
}

async fn apply_one(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
) -> Result<Applied, Error> {
    let (client, live) = (&context.client, &context.live);
    let namespace = manifest.namespace();
    if let State::Forbidden(message) = live.state(manifest.kind) {
        let kind = manifest.kind.name();
        return Err(Error::Unreadable { kind, message });
    }
    let mut put_back = false;
    let (applied, written) = match live.get(manifest.kind, namespace, manifest.name()) {
        Some(object) if !belongs_to(&*object, server) => {
            return Err(foreign(manifest, server, &*object));
        }
        Some(object) => {
            let object = serde_json::to_value(&*object).unwrap_or_default();
            let differences = differences(&manifest.object, &object, field_managers::SERVER);
            if differences.is_empty() {
                live.agreed(manifest, namespace);
                return Ok(Applied::Same);
            }
            if live.was_overruled(manifest, namespace, &differences) {
                return Ok(Applied::Same);
            }
            put_back = live.had_agreed(manifest, namespace);
            if put_back && contest(context, server, manifest, namespace, &differences).await {
                return Ok(Applied::Left);
            }
            hand_over_replicas(client, manifest, &object, namespace).await?;
            let written = patch(client, manifest, &manifest.object, namespace).await?;
            (Applied::Changed, written)
        }
        None => {
            let Some(written) = create(context, server, manifest).await? else {
                return Ok(Applied::Ownerless);
            };
            (Applied::Made, written)
        }
    };
    let (kind, name) = (manifest.kind.name(), manifest.name());
    info!(kind, namespace, name, put_back, "applied");
    let answer = serde_json::to_value(&written).unwrap_or_default();
    live.written(manifest.kind, written);
    let left = differences(&manifest.object, &answer, field_managers::SERVER);
    if left.is_empty() {
        live.agreed(manifest, namespace);
    }
    let paths = paths(&left);
    if live.overruled(manifest, namespace, left) {
        let note = format!(
            "{kind} {name} is changed by somebody else, such as an admission webhook, as it is written; the operator does not insist on {paths}"
        );
        tell(
            &context.events,
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
        tell(&context.events, server, EventType::Warning, "PutBack", note).await;
    }
    Ok(applied)
}

/// Whether somebody who insists is given way.
async fn contest(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    namespace: &str,
    differences: &[Difference],
) -> bool {
    match context.contests.changed(manifest, namespace) {
        Answer::PutBack => return false,
        Answer::StayAway => return true,
        Answer::GiveWay => {}
    }
    let (kind, name) = (manifest.kind.name(), manifest.name());
    let who = who_changed(context, manifest, namespace).await;
    let note = format!(
        "{kind} {name} is changed again and again by {who}, in {}; the operator leaves it so for {} s at a time",
        paths(differences),
        WINDOW.as_secs()
    );
    warn!(kind, namespace, name, %note, "contested");
    tell(
        &context.events,
        server,
        EventType::Warning,
        "Contested",
        note,
    )
    .await;
    true
}

/// The field manager that wrote last, as far as that can be seen.
async fn who_changed(context: &Context, manifest: &Manifest, namespace: &str) -> String {
    let api = api(&context.client, manifest.kind, namespace);
    let found = api.get_metadata_opt(manifest.name()).await.ok().flatten();
    let managed = found
        .and_then(|found| found.metadata.managed_fields)
        .unwrap_or_default();
    let others = managed.into_iter().filter(|entry| {
        entry.manager.as_deref() != Some(field_managers::SERVER)
            && entry.subresource.as_deref() != Some("status")
    });
    let last = others.max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    last.and_then(|entry| entry.manager)
        .unwrap_or_else(|| "somebody".into())
}

fn paths(differences: &[Difference]) -> String {
    let paths: Vec<&str> = differences
        .iter()
        .map(|difference| difference.path.as_str())
        .collect();
    paths.join(", ")
}
