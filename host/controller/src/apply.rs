//! Applies objects: only what differs, and only what is ours.

use std::borrow::Cow;

use futures::future::{join, join_all};
use kube::api::DynamicObject;
use kube::runtime::events::EventType;
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::content_digest::{self, summarize_live};
use mcp_operator_core::manifest::{ManagedKind, Manifest, Mutated, Objects};
use mcp_operator_core::owner_reference::belongs_to;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_core::ssa_diff::{Difference, differences};
use mcp_operator_runtime::ApiError;
use serde_json::Value;
use strum::IntoStaticStr;
use tracing::{Instrument, info, warn};

use crate::cache::Availability;
use crate::context::Context;
use crate::create::{create, find, foreign};
use crate::error::{Error, ReconcileError};
use crate::events::record_event;
use crate::fight_detector::{Verdict, WINDOW};
use crate::identity_delay::is_another_identity;
use crate::reconcile::Progress;
use crate::requeue::Attempt;
use crate::server_side_apply::{hand_over_replicas, server_side_apply};
use crate::spans;

/// What applying all objects came to, where nothing stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppliedAll {
    /// All objects are as they should be, or cannot be otherwise.
    UpToDate,
    /// The same, and the Deployment was created just now.
    DeploymentCreated,
    /// Another controller insists on something in an object.
    Contested,
    /// Pods wait until whoever gives them their identity knows the account.
    AccountSettling,
    /// Nothing is created for an MCPServer that is gone.
    OwnerDeleted,
}

impl AppliedAll {
    /// What it means for the reconcile. After this step the objects count as applied.
    pub(crate) fn progress(self, objects: Objects<Mutated>) -> Progress {
        match self {
            Self::UpToDate => Progress::Applied(objects.into_applied()),
            Self::Contested => Progress::Contested,
            Self::DeploymentCreated => Progress::DeploymentCreated,
            Self::AccountSettling => Progress::AccountSettling,
            Self::OwnerDeleted => Progress::OwnerDeleted,
        }
    }
}

/// What became of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
enum Applied {
    /// It was as it should be, or cannot be otherwise.
    Unchanged,
    Created,
    Changed,
    /// It is left as another controller made it.
    Contested,
    /// It is left as it is until the account of its pods is known to those who give them their identity.
    WaitsForAccount,
    /// It is not created, since its MCPServer is gone.
    OwnerDeleted,
}

/// Applies the objects, all at the same time, except that the Deployment comes after what pods cannot start without, and
/// its autoscaler after the Deployment.
///
/// One that fails keeps no other from being applied, except those that would be wrong without it.
pub(crate) async fn apply(
    context: &Context,
    server: &McpServer,
    objects: &Objects<Mutated>,
    attempt: &Attempt,
) -> Result<AppliedAll, ReconcileError> {
    let (mut prerequisites, mut pods, mut scaling, mut independent) =
        (vec![], vec![], vec![], vec![]);
    let served = objects
        .iter()
        .filter(|manifest| context.objects.availability(manifest.kind) != Availability::NotServed);
    for manifest in served {
        let stage = match manifest.kind {
            kind if kind.is_needed_by_pods() => &mut prerequisites,
            ManagedKind::Deployment => &mut pods,
            ManagedKind::HorizontalPodAutoscaler => &mut scaling,
            _ => &mut independent,
        };
        stage.push(manifest);
    }
    let each = |manifests| apply_each(context, server, manifests, attempt);
    let key = ServerKey::of(server);
    let in_order = async {
        let is_another_identity = prerequisites
            .iter()
            .any(|manifest| is_another_identity(context, manifest));
        let mut applied = each(prerequisites).await;
        let is_written = |(kind, result): &(ManagedKind, Result<Applied, Error>)| {
            *kind == ManagedKind::ServiceAccount
                && matches!(result, Ok(Applied::Created | Applied::Changed))
        };
        if is_another_identity && applied.iter().any(is_written) {
            context.identity_delay.begin(&key);
        }
        if applied.iter().all(|(_, result)| result.is_ok()) {
            if context.identity_delay.remaining(&key).is_none() {
                applied.extend(each(pods.clone()).await);
            } else {
                let wait = |manifest: &&Manifest| (manifest.kind, Ok(Applied::WaitsForAccount));
                applied.extend(pods.iter().map(wait));
            }
        }
        // Without its Deployment it would warn that it has nothing to scale, or scale what somebody else has there.
        if pods.iter().all(|pods| exists(context, server, pods)) {
            applied.extend(each(scaling).await);
        }
        applied
    };
    let (mut applied, others) = join(in_order, each(independent)).await;
    applied.extend(others);
    summarize(applied)
}

/// Whether an object exists, and is the server's.
fn exists(context: &Context, server: &McpServer, manifest: &Manifest) -> bool {
    let found = context
        .objects
        .get(manifest.kind, manifest.namespace(), manifest.name());
    found.is_some_and(|found| belongs_to(&found, server))
}

/// Of several failures, one is reported: the same one each time.
fn summarize(
    applied: Vec<(ManagedKind, Result<Applied, Error>)>,
) -> Result<AppliedAll, ReconcileError> {
    let (mut failed, mut all) = (Vec::new(), AppliedAll::UpToDate);
    for (kind, result) in applied {
        match result {
            Ok(Applied::Created) if kind == ManagedKind::Deployment => {
                all = AppliedAll::DeploymentCreated;
            }
            Ok(Applied::Contested) => all = AppliedAll::Contested,
            Ok(Applied::WaitsForAccount) => all = AppliedAll::AccountSettling,
            Ok(Applied::OwnerDeleted) => return Ok(AppliedAll::OwnerDeleted),
            Ok(Applied::Unchanged | Applied::Created | Applied::Changed) => {}
            Err(error) => failed.push((kind, error)),
        }
    }
    // What pods need comes first, and what comes from an optional API last.
    failed.sort_by_key(|(kind, _)| (kind.is_optional(), !kind.is_needed_by_pods(), *kind));
    match failed.into_iter().next() {
        None => Ok(all),
        Some((kind, error)) => Err(ReconcileError::about(kind, error)),
    }
}

async fn apply_each(
    context: &Context,
    server: &McpServer,
    manifests: Vec<&Manifest>,
    attempt: &Attempt,
) -> Vec<(ManagedKind, Result<Applied, Error>)> {
    let applied = manifests.into_iter().map(|manifest| async move {
        let span = spans::apply(manifest);
        let applying = apply_one(context, server, manifest, attempt);
        let result = applying.instrument(span.clone()).await;
        spans::end(&span, &result);
        (manifest.kind, result)
    });
    join_all(applied).await
}

async fn apply_one(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    attempt: &Attempt,
) -> Result<Applied, Error> {
    if let Availability::Forbidden(message) = context.objects.availability(manifest.kind) {
        let kind = manifest.kind.name();
        return Err(Error::Unreadable { kind, message });
    }
    let found = context
        .objects
        .get(manifest.kind, manifest.namespace(), manifest.name());
    match found {
        Some(found) if !belongs_to(&found, server) => Err(foreign(manifest, server, &found)),
        Some(found) => update(context, server, manifest, &found).await,
        None => match create(context, server, manifest, attempt).await? {
            Some(written) => {
                record_write(context, server, manifest, written, false).await?;
                Ok(Applied::Created)
            }
            None => Ok(Applied::OwnerDeleted),
        },
    }
}

/// Applies to an object of ours that differs from its manifest.
async fn update(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    found: &DynamicObject,
) -> Result<Applied, Error> {
    let history = context.objects.history(manifest.kind);
    let live = as_json(manifest, found)?;
    let differences = differences(&comparable(manifest), &live, field_managers::SERVER);
    if differences.is_empty() {
        history.record_clean(manifest);
        return Ok(Applied::Unchanged);
    }
    if history.is_mutated_by_admission(manifest, &differences) {
        return Ok(Applied::Unchanged);
    }
    let is_drift = history.was_clean(manifest);
    if is_drift && is_contested(context, server, manifest, &differences).await {
        return Ok(Applied::Contested);
    }
    let written = write(context, manifest, &live).await.inspect_err(|_| {
        if is_drift {
            context.fights.retract_drift(manifest);
        }
    })?;
    record_write(context, server, manifest, written, is_drift).await?;
    Ok(Applied::Changed)
}

async fn write(
    context: &Context,
    manifest: &Manifest,
    live: &Value,
) -> Result<DynamicObject, ApiError> {
    hand_over_replicas(&context.client, manifest, live).await?;
    server_side_apply(&context.client, manifest, &manifest.object).await
}

/// Takes the answer to a write into the cache, and notes what the write could not change. `is_drift`: somebody else had
/// changed the object before.
async fn record_write(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    mut written: DynamicObject,
    is_drift: bool,
) -> Result<(), Error> {
    if manifest.kind == ManagedKind::ConfigMap {
        summarize_live(&mut written);
    }
    let (kind, namespace, name) = (manifest.kind.name(), manifest.namespace(), manifest.name());
    info!(kind, namespace, name, is_drift, "applied");
    let history = context.objects.history(manifest.kind);
    let answer = as_json(manifest, &written)?;
    context.objects.record_write(manifest.kind, written);
    let left = differences(&comparable(manifest), &answer, field_managers::SERVER);
    let paths = paths(&left);
    if history.record_write(manifest, left) {
        let note = format!(
            "{kind} {name} is changed by somebody else, such as an admission webhook, as it is written; the operator does not insist on {paths}"
        );
        record_event(context, server, EventType::Warning, "Overruled", note).await;
    } else if is_drift {
        let note = format!(
            "{kind} {name} was changed by somebody else in fields that the MCPServer decides about; they are as before again"
        );
        record_event(context, server, EventType::Warning, "PutBack", note).await;
    }
    Ok(())
}

/// Whether another controller changes the object so often that it is left alone for now.
async fn is_contested(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    differences: &[Difference],
) -> bool {
    match context.fights.record_drift(manifest) {
        Verdict::Reapply => return false,
        Verdict::StillBackingOff => return true,
        Verdict::BackOff => {}
    }
    let (kind, name) = (manifest.kind.name(), manifest.name());
    let manager = last_other_manager(context, manifest).await;
    let note = format!(
        "{kind} {name} is changed again and again by {manager}, in {}; the operator leaves it so for {} s at a time",
        paths(differences),
        WINDOW.as_secs()
    );
    warn!(kind, namespace = manifest.namespace(), name, %note, "contested");
    record_event(context, server, EventType::Warning, "Contested", note).await;
    true
}

/// The other field manager that wrote last, as far as that can be seen. The cache keeps only our own managed fields.
async fn last_other_manager(context: &Context, manifest: &Manifest) -> String {
    let found = find(context, manifest).await.ok().flatten();
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

/// A manifest as it is compared with what the cache keeps of its object.
fn comparable(manifest: &Manifest) -> Cow<'_, Value> {
    if manifest.kind != ManagedKind::ConfigMap {
        return Cow::Borrowed(&manifest.object);
    }
    let mut object = manifest.object.clone();
    content_digest::summarize(&mut object);
    Cow::Owned(object)
}

fn as_json(manifest: &Manifest, object: &DynamicObject) -> Result<Value, Error> {
    serde_json::to_value(object).map_err(|error| Error::malformed(manifest, &error))
}

fn paths(differences: &[Difference]) -> String {
    let paths: Vec<&str> = differences
        .iter()
        .map(|difference| difference.path.as_str())
        .collect();
    paths.join(", ")
}
