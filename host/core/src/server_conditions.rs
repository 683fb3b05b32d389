//! The conditions that the controller writes into the status of an MCPServer.

mod external_secret_synced;
mod progress;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use mcp_operator_api::names::conditions::{
    AUTOSCALING_ACTIVE, AVAILABLE, DEPLOYMENT_READY, DISRUPTION_BUDGET_CREATED,
    EXTERNAL_SECRET_SYNCED, LITELLM_REGISTERED, READY, SERVICE_MONITOR_CREATED, SPEC_VALID,
};
use mcp_operator_api::v1alpha1::McpServer;

use crate::autoscaler;
use crate::build;
use crate::conditions::{self, ConditionDraft, ConditionStatus};
use crate::manifest::ManagedKind;
use crate::outcome::{Failure, Presence, ReconcileOutcome, Verdict};
use crate::probe_failures;
use crate::remedies::with_remedy;

/// Reasons of `DeploymentReady` that the phase of an MCPServer depends on.
pub(crate) mod reasons {
    pub(crate) const AVAILABLE: &str = "MinimumReplicasAvailable";
    /// Some pods serve, but not all are of the present template.
    pub(crate) const PROGRESSING: &str = "RolloutInProgress";
    pub(crate) const UNAVAILABLE: &str = "ReplicasUnavailable";
    pub(crate) const NOT_CREATED: &str = "NotCreated";
}

/// All conditions of the controller. What the specification does not ask for has none.
pub(crate) fn all(
    server: &McpServer,
    outcome: &ReconcileOutcome,
    registered: Option<&Condition>,
) -> Vec<ConditionDraft> {
    // A remote server has no pods: whether it serves is what the gateway says.
    let mut drafts = if server.spec.remote.is_some() {
        vec![spec_valid(&outcome.verdict)]
    } else {
        of_workload(server, outcome)
    };
    let requirements = requirements(&drafts);
    let ready = ready(&requirements, outcome, registered);
    let is_stalled = progress::is_stalled(&requirements, outcome, registered);
    drafts.extend(ConditionDraft::progress(&ready, is_stalled));
    let untold = untold_failure(&drafts, &ready, outcome);
    drafts.push(with_notes(ready, outcome.notes.iter().chain(untold)));
    drafts
}

/// Those of a server that runs here.
fn of_workload(server: &McpServer, outcome: &ReconcileOutcome) -> Vec<ConditionDraft> {
    let mut drafts = vec![
        spec_valid(&outcome.verdict),
        deployment_ready(server, outcome),
    ];
    drafts.extend(external_secret_synced::external_secret_synced(
        &server.name_any(),
        outcome,
    ));
    drafts.extend(autoscaling_active(outcome));
    drafts.extend(service_monitor_created(server, outcome));
    drafts.extend(disruption_budget_created(server));
    drafts.push(available(outcome));
    drafts
}

/// A failure that no condition is about: one of a kind that the specification does not ask for any more, or of a kind without
/// a condition while the Deployment is not ready.
fn untold_failure<'a>(
    drafts: &[ConditionDraft],
    ready: &ConditionDraft,
    outcome: &'a ReconcileOutcome,
) -> Option<&'a String> {
    let message = &outcome.failure.as_ref()?.message;
    let mut all = drafts.iter().chain([ready]);
    (!all.any(|draft| draft.message.contains(message.as_str()))).then_some(message)
}

/// The notes have no condition of their own.
fn with_notes<'a>(
    mut ready: ConditionDraft,
    notes: impl Iterator<Item = &'a String>,
) -> ConditionDraft {
    for note in notes {
        ready.message = format!("{}; {note}", ready.message);
    }
    ready
}

/// What must hold before a server is ready. Pods that serve have their secrets, wherever these come from.
fn requirements(drafts: &[ConditionDraft]) -> Vec<&ConditionDraft> {
    let is = |draft: &&ConditionDraft, kind| draft.kind == kind;
    let serves = drafts
        .iter()
        .any(|draft| is(&draft, DEPLOYMENT_READY) && draft.status == ConditionStatus::True);
    let valid = drafts.iter().filter(|draft| is(draft, SPEC_VALID));
    // Without its secrets no pod starts: they come first, since they are the cause of what the Deployment shows.
    let secrets = drafts.iter().filter(|draft| {
        is(draft, EXTERNAL_SECRET_SYNCED) && !serves && draft.status == ConditionStatus::False
    });
    let deployment = drafts.iter().filter(|draft| is(draft, DEPLOYMENT_READY));
    valid.chain(secrets).chain(deployment).collect()
}

fn spec_valid(verdict: &Verdict) -> ConditionDraft {
    match verdict {
        Verdict::Valid => ConditionDraft::new(
            SPEC_VALID,
            ConditionStatus::True,
            "Valid",
            "The specification passes all rules",
        ),
        Verdict::Invalid(errors) => {
            let message: Vec<String> = errors.iter().map(ToString::to_string).collect();
            ConditionDraft::new(
                SPEC_VALID,
                ConditionStatus::False,
                "Invalid",
                message.join("; "),
            )
        }
        Verdict::Unknown(failure) => ConditionDraft::new(
            SPEC_VALID,
            ConditionStatus::Unknown,
            failure.reason.clone(),
            failure.message.clone(),
        ),
    }
}

fn deployment_ready(server: &McpServer, outcome: &ReconcileOutcome) -> ConditionDraft {
    let no = |reason: &str, message: &str| {
        ConditionDraft::new(DEPLOYMENT_READY, ConditionStatus::False, reason, message)
    };
    if let Some(failure) = failure_of(outcome, |kind| {
        kind.is_needed_by_pods() || kind == ManagedKind::Deployment
    }) {
        return no(&failure.reason, &failure.message);
    }
    let Some(rollout) = &outcome.rollout else {
        return no(reasons::NOT_CREATED, "The Deployment has not been created");
    };
    if rollout.complete() {
        return ConditionDraft::new(
            DEPLOYMENT_READY,
            ConditionStatus::True,
            reasons::AVAILABLE,
            rollout.message(),
        );
    }
    let because = |what: &str| with_remedy(&format!("{}: {what}", rollout.message()));
    let going_on = if rollout.available > 0 {
        reasons::PROGRESSING
    } else {
        reasons::UNAVAILABLE
    };
    let stuck = rollout.stuck.as_ref();
    // That the deadline has passed explains less than the issue of a pod.
    if let Some(stuck) = stuck.filter(|stuck| stuck.reason == "FailedCreate") {
        return no(&stuck.reason, &because(&stuck.message));
    }
    let issue = outcome.pod_issue.as_ref();
    if let Some(failure) = &outcome.probe_failure {
        let probes = &server.spec.observability.health_probes;
        let reason = match (issue, stuck) {
            (Some(issue), _) => &issue.reason,
            (None, Some(stuck)) => &stuck.reason,
            (None, None) if failure.may_be_starting() => going_on,
            (None, None) => probe_failures::REASON,
        };
        return no(reason, &because(&failure.message(probes, issue)));
    }
    match (issue, stuck) {
        (Some(issue), _) => no(&issue.reason, &because(&issue.message)),
        (None, Some(stuck)) => no(&stuck.reason, &because(&stuck.message)),
        (None, None) => no(going_on, &rollout.message()),
    }
}

/// Whether any pod serves. The registration goes by how long this has been so: the messages have no numbers, so that one pod
/// more or less does not change the condition.
fn available(outcome: &ReconcileOutcome) -> ConditionDraft {
    let (status, reason, message) = match &outcome.rollout {
        Some(rollout) if rollout.available > 0 => (
            ConditionStatus::True,
            "PodsServe",
            "At least one pod serves",
        ),
        Some(_) => (ConditionStatus::False, "NoPodServes", "No pod serves"),
        None if outcome.deployments_unreadable => (
            ConditionStatus::Unknown,
            "Unreadable",
            "Whether a pod serves is not known: Deployments cannot be read",
        ),
        None => (
            ConditionStatus::False,
            reasons::NOT_CREATED,
            "No pod serves: there is no Deployment",
        ),
    };
    ConditionDraft::new(AVAILABLE, status, reason, message)
}

/// What stopped the reconcile, if it is about one of these kinds or about all.
fn failure_of(
    outcome: &ReconcileOutcome,
    concerns: impl Fn(ManagedKind) -> bool,
) -> Option<&Failure> {
    outcome
        .failure
        .as_ref()
        .filter(|failure| failure.kind.is_none_or(concerns))
}

fn service_monitor_created(
    server: &McpServer,
    outcome: &ReconcileOutcome,
) -> Option<ConditionDraft> {
    let draft = |status, reason: &str, message: &str| {
        Some(ConditionDraft::new(
            SERVICE_MONITOR_CREATED,
            status,
            reason,
            message,
        ))
    };
    let presence = outcome.service_monitor.as_ref()?;
    let failed = |kind| kind == ManagedKind::ServiceMonitor;
    if let Some(failure) = failure_of(outcome, failed).filter(|failure| failure.kind.is_some()) {
        return draft(ConditionStatus::False, &failure.reason, &failure.message);
    }
    match presence {
        Presence::Present(object) => draft(
            ConditionStatus::True,
            "Created",
            &scraped(server, object["metadata"]["namespace"].as_str()),
        ),
        Presence::Missing => draft(
            ConditionStatus::False,
            reasons::NOT_CREATED,
            "The ServiceMonitor has not been created",
        ),
        Presence::NotServed => draft(
            ConditionStatus::False,
            "ApiNotInstalled",
            "The Prometheus operator (monitoring.coreos.com/v1) is not installed: install it, or set spec.observability.metrics.enabled to false",
        ),
    }
}

/// A ServiceMonitor that is not in the namespace of its server is hard to find, so the message says where it is.
fn scraped(server: &McpServer, namespace: Option<&str>) -> String {
    match namespace.filter(|namespace| Some(*namespace) != server.namespace().as_deref()) {
        Some(elsewhere) => {
            format!(
                "A ServiceMonitor in the namespace {elsewhere} asks Prometheus to scrape the pods"
            )
        }
        None => "A ServiceMonitor asks Prometheus to scrape the pods".into(),
    }
}

/// An autoscaler that does nothing looks like one that has nothing to do.
fn autoscaling_active(outcome: &ReconcileOutcome) -> Option<ConditionDraft> {
    let status = &outcome.autoscaler.as_ref()?["status"];
    let mut conditions = status["conditions"].as_array()?.iter();
    let failing = conditions.find(|condition| autoscaler::is_failing(condition))?;
    let text = |name: &str| failing[name].as_str().unwrap_or_default();
    Some(ConditionDraft::new(
        AUTOSCALING_ACTIVE,
        ConditionStatus::False,
        text("reason"),
        format!("The number of pods stays as it is: {}", text("message")),
    ))
}

fn disruption_budget_created(server: &McpServer) -> Option<ConditionDraft> {
    build::disruption_budget_withheld(&server.spec).then(|| {
        ConditionDraft::new(
            DISRUPTION_BUDGET_CREATED,
            ConditionStatus::False,
            "WouldBlockDrains",
            "No PodDisruptionBudget: it would let no pod go, and no node could be drained. Set more replicas, a lower minAvailable, or podDisruptionBudget.enabled to false",
        )
    })
}

/// The condition of the registration, where the specification asks for one: `Unknown` until somebody has written it, and until
/// it is about what the gateway should have now.
pub(crate) fn registration(
    server: &McpServer,
    conditions: &[Condition],
    is_old: bool,
) -> Option<Condition> {
    let waiting = |message: &str| {
        let unknown = ConditionStatus::Unknown;
        let draft = ConditionDraft::new(LITELLM_REGISTERED, unknown, "Waiting", message);
        draft.condition(&[], None, Timestamp::UNIX_EPOCH)
    };
    let said = conditions::find(conditions, LITELLM_REGISTERED);
    server.spec.litellm.auto_register.then(|| match said {
        None => waiting("Not registered with LiteLLM yet"),
        Some(said) if is_old && said.status != "Unknown" => {
            waiting("LiteLLM does not have the last change of the specification yet")
        }
        Some(said) => said.clone(),
    })
}

/// Takes its reason from the first requirement that does not hold.
fn ready(
    requirements: &[&ConditionDraft],
    outcome: &ReconcileOutcome,
    registered: Option<&Condition>,
) -> ConditionDraft {
    let no = |reason: &str, message: &str| {
        ConditionDraft::new(READY, ConditionStatus::False, reason, message)
    };
    if let Some(missing) = requirements
        .iter()
        .find(|draft| draft.status != ConditionStatus::True)
    {
        return no(&missing.reason, &missing.message);
    }
    // Kinds of optional APIs have conditions of their own, and do not keep a server from being ready.
    let must_not_fail = |kind: ManagedKind| !kind.is_optional();
    if let Some(failure) = failure_of(outcome, must_not_fail) {
        return no(&failure.reason, &failure.message);
    }
    match registered.filter(|condition| condition.status != "True") {
        Some(missing) => no(&missing.reason, &missing.message),
        None => ConditionDraft::new(
            READY,
            ConditionStatus::True,
            "Ready",
            "Everything is there and serves",
        ),
    }
}
