//! What the caches show of a server's objects and pods, for its status.

use kube::ResourceExt;
use kube::api::DynamicObject;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build::{child_name, secret_objects, service_monitor_place};
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::outcome::{Presence, ReconcileOutcome, Verdict};
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
        Ok(Progress::DeploymentCreated | Progress::OwnerDeleted) => return None,
        Ok(Progress::Applied(_) | Progress::Unchanged | Progress::Contested) => {
            (Verdict::Valid, None)
        }
        Ok(Progress::Invalid(errors)) => (Verdict::Invalid(errors.clone()), None),
        Err(error @ ReconcileError::Undecided(_)) => (Verdict::Unknown(error.failure()), None),
        Err(error @ ReconcileError::Failed { .. }) => (Verdict::Valid, Some(error.failure())),
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
    let metrics = server.spec.observability.metrics.enabled;
    Some(ReconcileOutcome {
        verdict,
        failure,
        rollout: deployment
            .and_then(as_json)
            .map(|deployment| Rollout::of(&deployment)),
        deployments_unreadable: context.objects.availability(ManagedKind::Deployment)
            != Availability::Listed,
        pod_issue: context
            .pod_issues
            .of(&key)
            .and_then(|issues| issues.into_values().min()),
        probe_failure: None,
        external_secrets: external_secrets.collect(),
        service_monitor: metrics.then(|| {
            let (namespace, name) = service_monitor_place(&key, &context.settings.build);
            presence(context, ManagedKind::ServiceMonitor, &namespace, &name)
        }),
        defaults: context
            .judged
            .get(server)
            .and_then(|judged| judged.defaults),
        notes: missing_permissions(context, server),
    })
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
