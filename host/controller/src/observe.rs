//! What the caches show of a server's objects and pods, for its status.

use kube::ResourceExt;
use kube::api::DynamicObject;
use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_api::names::labels;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build::{SecretObject, child_name, secret_objects, service_monitor_place};
use mcp_operator_core::conditions::find;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::outcome::{Failure, Presence, ReconcileOutcome, Verdict};
use mcp_operator_core::owner_reference::belongs_to;
use mcp_operator_core::private_values;
use mcp_operator_core::remote::relocation;
use mcp_operator_core::rollout::Rollout;
use mcp_operator_core::server_key::ServerKey;
use serde_json::Value;
use tracing::error;

use crate::cache::Availability;
use crate::context::Context;
use crate::error::ReconcileError;
use crate::reconcile::Progress;

/// What a reconcile led to, for the status; nothing where it is too early for one. Only objects that were applied, now or in
/// an earlier reconcile, make a specification valid.
pub(crate) fn observe(
    server: &McpServer,
    context: &Context,
    result: &Result<Progress, ReconcileError>,
) -> Option<ReconcileOutcome> {
    let (verdict, failure) = match result {
        Ok(Progress::DeploymentCreated | Progress::AccountSettling | Progress::OwnerDeleted) => {
            return None;
        }
        Ok(
            Progress::Applied(_) | Progress::Unchanged | Progress::Relocating | Progress::Contested,
        ) => (Verdict::Valid, None),
        Ok(Progress::Invalid(errors)) => (Verdict::Invalid(errors.clone()), None),
        Err(error @ ReconcileError::Failed { .. }) => {
            (Verdict::Valid, Some(failure(server, error)))
        }
        Err(error) => (Verdict::Unknown(failure(server, error)), None),
    };
    let key = ServerKey::of(server);
    let deployment = context.objects.get(
        ManagedKind::Deployment,
        &key.namespace,
        &child_name(&key.name),
    );
    let secrets = secret_objects(&key, &server.spec).into_iter();
    let external_secrets = secrets.filter(|secret| secret.fetched).map(|secret| {
        let presence = presence(
            context,
            ManagedKind::ExternalSecret,
            &key.namespace,
            &secret.name,
        );
        (secret, presence)
    });
    let metrics = has_pods(server) && server.spec.observability.metrics.enabled;
    let own = |kind| {
        let found = context
            .objects
            .get(kind, &key.namespace, &child_name(&key.name));
        found.filter(|found| belongs_to(found, server))
    };
    let is_known = context.objects.availability(ManagedKind::Service) == Availability::Listed;
    let external_secrets: Vec<_> = external_secrets.collect();
    let notes = match result {
        Ok(Progress::Relocating) => vec![relocation::WAITING.into()],
        _ if has_pods(server) => {
            let mut notes = missing_permissions(context, server);
            notes.extend(unnoticed(context, &key, &external_secrets));
            notes.extend(context.kept_pods.note(&key));
            notes
        }
        _ => Vec::new(),
    };
    Some(ReconcileOutcome {
        verdict,
        failure,
        has_service: is_known.then(|| own(ManagedKind::Service).is_some()),
        autoscaler: own(ManagedKind::HorizontalPodAutoscaler).and_then(as_json),
        // While a server moves away, its pods say nothing about it any more.
        rollout: deployment
            .filter(|_| has_pods(server))
            .and_then(as_json)
            .map(|deployment| Rollout::of(&deployment)),
        deployments_unreadable: context.objects.availability(ManagedKind::Deployment)
            != Availability::Listed,
        pod_issue: context
            .pod_issues
            .of(&key)
            .and_then(|issues| issues.into_values().min()),
        probe_failure: None,
        external_secrets,
        service_monitor: metrics.then(|| {
            let (namespace, name) = service_monitor_place(&key, &context.settings.build);
            presence(context, ManagedKind::ServiceMonitor, &namespace, &name)
        }),
        defaults: context
            .judged
            .get(server)
            .and_then(|judged| judged.defaults),
        registration_is_old: registration_is_old(server, context),
        notes,
    })
}

/// An edit that changes nothing that LiteLLM is told leaves what was said. After a start nobody can tell such an edit from
/// another one, until the registration says how it stands.
fn registration_is_old(server: &McpServer, context: &Context) -> bool {
    let status = server.status.as_ref();
    let said = status.and_then(|status| find(&status.conditions, LITELLM_REGISTERED));
    said.is_some_and(|said| said.observed_generation != server.metadata.generation)
        && !context.judged.is_registered_as_judged(server)
}

fn has_pods(server: &McpServer) -> bool {
    server.spec.remote.is_none()
}

/// A failure in words that show nothing of the environment or the configuration: whoever refuses an object may repeat it.
fn failure(server: &McpServer, error: &ReconcileError) -> Failure {
    let failure = error.failure();
    match serde_json::to_value(server) {
        Ok(object) => Failure {
            message: private_values::hide_in(&failure.message, &object),
            ..failure
        },
        Err(_) => failure,
    }
}

/// What is not done because it may not be read: visible where people look, not only in the log.
fn missing_permissions(context: &Context, server: &McpServer) -> Vec<String> {
    let namespace = server.namespace().unwrap_or_default();
    let reads_secrets = !server.spec.secrets.is_empty()
        || server.spec.env.iter().any(|variable| {
            let source = variable.value_from.as_ref();
            source.is_some_and(|source| source.secret_key_ref.is_some())
        });
    let secrets = context.secret_hashes.refusal(&namespace);
    let secrets = secrets.filter(|_| reads_secrets);
    let pods = context.pod_issues.refusal(&namespace);
    let note = |what: &str, why: String| format!("{what}, because the operator may not: {why}");
    [
        secrets.map(|why| note("pods are not replaced when a Secret changes", why)),
        pods.map(|why| note("what keeps a pod from serving is not told", why)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// External Secrets copies the labels of an ExternalSecret to the Secret unless it is told otherwise; by them the operator sees
/// that the data is new.
fn unnoticed(
    context: &Context,
    server: &ServerKey,
    external_secrets: &[(SecretObject, Presence)],
) -> Vec<String> {
    let Some(seen) = context.secret_hashes.of(server) else {
        return Vec::new();
    };
    let synced = external_secrets
        .iter()
        .filter(|(_, presence)| match presence {
            Presence::Present(object) => is_synced(object),
            Presence::NotServed | Presence::Missing => false,
        });
    synced
        .filter(|(secret, _)| !seen.contains_key(&secret.name))
        .map(|(secret, _)| {
            format!(
                "pods are not replaced when Secret {} changes, because it has no label {}: {}",
                secret.name,
                labels::SERVER,
                server.name
            )
        })
        .collect()
}

fn is_synced(external_secret: &Value) -> bool {
    let conditions = external_secret["status"]["conditions"].as_array();
    let is_ready =
        |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    conditions.into_iter().flatten().any(is_ready)
}

fn presence(context: &Context, kind: ManagedKind, namespace: &str, name: &str) -> Presence {
    if context.objects.availability(kind) == Availability::NotServed {
        return Presence::NotServed;
    }
    let object = context.objects.get(kind, namespace, name);
    object
        .and_then(as_json)
        .map_or(Presence::Missing, Presence::Present)
}

/// What came as JSON can become JSON again; if it cannot, the log says so, and the status that nothing is there.
fn as_json(object: DynamicObject) -> Option<Value> {
    let name = object.name_any();
    serde_json::to_value(object)
        .inspect_err(|error| error!(name, %error, "object cannot be read"))
        .ok()
}
