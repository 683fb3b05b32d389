//! What each condition of an MCPServer says.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use mcp_operator_api::names::conditions::{
    AVAILABLE, DEPLOYMENT_READY, DISRUPTION_BUDGET_CREATED, EXTERNAL_SECRET_SYNCED,
    LITELLM_REGISTERED, READY, SERVICE_MONITOR_CREATED, SPEC_VALID,
};
use mcp_operator_api::names::labels;
use mcp_operator_api::v1alpha1::McpServer;
use serde_json::Value;

use crate::build;
use crate::conditions::{self, Statement, Truth};
use crate::manifest::ManagedKind;
use crate::pass::{Failure, Pass, Presence, Verdict};

/// Reasons of `DeploymentReady` that the phase tells apart.
pub(crate) mod reasons {
    /// All pods are there and of the present template.
    pub(crate) const AVAILABLE: &str = "MinimumReplicasAvailable";
    /// Some pods serve, not all are as they should be.
    pub(crate) const PROGRESSING: &str = "RolloutInProgress";
    /// No pod serves.
    pub(crate) const UNAVAILABLE: &str = "ReplicasUnavailable";
    /// The Deployment was not made yet.
    pub(crate) const NOT_CREATED: &str = "NotCreated";
}

/// All that the controller says: what is not asked for has no condition.
pub(crate) fn all(
    server: &McpServer,
    pass: &Pass,
    registered: Option<&Condition>,
) -> Vec<Statement> {
    let mut statements = vec![spec_valid(&pass.verdict), deployment_ready(pass)];
    statements.extend(external_secret_synced(&server.name_any(), pass));
    let needed = needed(&statements);
    let ready = ready(&needed, pass, registered);
    statements.extend(service_monitor_created(server, pass));
    statements.extend(disruption_budget_withheld(server));
    statements.push(available(pass));
    statements.push(noted(ready, &pass.notes));
    statements
}

/// The summary, with what is not told anywhere else.
fn noted(mut ready: Statement, notes: &[String]) -> Statement {
    for note in notes {
        ready.message = format!("{}; {note}", ready.message);
    }
    ready
}

/// What must hold before a server is ready. Pods that serve have their secrets, wherever these come from.
fn needed(statements: &[Statement]) -> Vec<&Statement> {
    let is = |statement: &&Statement, kind| statement.kind == kind;
    let serves = statements
        .iter()
        .any(|statement| statement.kind == DEPLOYMENT_READY && statement.status == Truth::True);
    let valid = statements
        .iter()
        .filter(|statement| is(statement, SPEC_VALID));
    // Without secrets no pod starts: that is the cause, and the Deployment only shows it.
    let secrets = statements.iter().filter(|statement| {
        is(statement, EXTERNAL_SECRET_SYNCED) && !serves && statement.status == Truth::False
    });
    let deployment = statements
        .iter()
        .filter(|statement| is(statement, DEPLOYMENT_READY));
    valid.chain(secrets).chain(deployment).collect()
}

fn spec_valid(verdict: &Verdict) -> Statement {
    match verdict {
        Verdict::Valid => Statement::new(
            SPEC_VALID,
            Truth::True,
            "Valid",
            "The specification passes all rules",
        ),
        Verdict::Invalid(errors) => {
            let message: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Statement::new(SPEC_VALID, Truth::False, "Invalid", message.join("; "))
        }
        Verdict::Unknown(failure) => Statement::new(
            SPEC_VALID,
            Truth::Unknown,
            failure.reason.clone(),
            failure.message.clone(),
        ),
    }
}

fn deployment_ready(pass: &Pass) -> Statement {
    let no = |reason: &str, message: &str| {
        Statement::new(DEPLOYMENT_READY, Truth::False, reason, message)
    };
    if let Some(failure) = failure_of(pass, |kind| {
        kind.is_needed_by_pods() || kind == ManagedKind::Deployment
    }) {
        return no(&failure.reason, &failure.message);
    }
    let Some(rollout) = &pass.rollout else {
        return no(reasons::NOT_CREATED, "The Deployment has not been created");
    };
    if rollout.complete() {
        return Statement::new(
            DEPLOYMENT_READY,
            Truth::True,
            reasons::AVAILABLE,
            rollout.message(),
        );
    }
    let because = |what: &str| format!("{}: {what}", rollout.message());
    match (&rollout.stuck, &pass.trouble) {
        // That the deadline has passed says less than what the pods say.
        (Some(stuck), trouble) if trouble.is_none() || stuck.reason == "FailedCreate" => {
            no(&stuck.reason, &because(&stuck.message))
        }
        (_, Some(trouble)) => no(&trouble.reason, &because(&trouble.message)),
        (_, None) if rollout.available > 0 => no(reasons::PROGRESSING, &rollout.message()),
        (_, None) => no(reasons::UNAVAILABLE, &rollout.message()),
    }
}

/// Whether anybody is served. It has a time of its own: how long nobody is served decides about the registration. The
/// sentences hold no numbers, so that one pod more or less is no news.
fn available(pass: &Pass) -> Statement {
    let (truth, reason, message) = match &pass.rollout {
        Some(rollout) if rollout.available > 0 => {
            (Truth::True, "PodsServe", "At least one pod serves")
        }
        Some(_) => (Truth::False, "NoPodServes", "No pod serves"),
        None if pass.blind => (
            Truth::Unknown,
            "Unreadable",
            "Whether a pod serves is not known: Deployments cannot be read",
        ),
        None => (
            Truth::False,
            reasons::NOT_CREATED,
            "No pod serves: there is no Deployment",
        ),
    };
    Statement::new(AVAILABLE, truth, reason, message)
}

/// What stopped the pass, if it concerns one of these kinds, or all of them.
fn failure_of(pass: &Pass, concerns: impl Fn(ManagedKind) -> bool) -> Option<&Failure> {
    pass.failure
        .as_ref()
        .filter(|failure| failure.kind.is_none_or(concerns))
}

/// Only what External Secrets says. Optional secrets that are not there keep nothing from being in sync.
fn external_secret_synced(server: &str, pass: &Pass) -> Option<Statement> {
    let say = |truth, reason: &str, message: String| {
        Some(Statement::new(
            EXTERNAL_SECRET_SYNCED,
            truth,
            reason,
            message,
        ))
    };
    if pass.external_secrets.is_empty() {
        return None;
    }
    let failed = |kind| kind == ManagedKind::ExternalSecret;
    if let Some(failure) = failure_of(pass, failed).filter(|failure| failure.kind.is_some()) {
        return say(Truth::False, &failure.reason, failure.message.clone());
    }
    let mut notes = Vec::new();
    for (secret, presence) in &pass.external_secrets {
        let (truth, reason, message) = synced(server, &secret.name, presence);
        match truth {
            Truth::True => {}
            _ if secret.optional => notes.push(message),
            _ => return say(truth, &reason, message),
        }
    }
    if notes.is_empty() {
        say(Truth::True, "SecretSynced", "All secrets are synced".into())
    } else {
        let message = format!(
            "All required secrets are synced; optional: {}",
            notes.join("; ")
        );
        say(Truth::True, "SecretSynced", message)
    }
}

fn synced(server: &str, name: &str, presence: &Presence) -> (Truth, String, String) {
    let object = match presence {
        Presence::NotServed => {
            let message = format!(
                "External Secrets (external-secrets.io/v1) is not installed: install it, or create Secret {name} yourself, with the label {}={server}, without which no pod is replaced when it changes",
                labels::SERVER
            );
            return (Truth::False, "ApiNotInstalled".into(), message);
        }
        Presence::Missing => {
            let message = format!("ExternalSecret {name} has not been created");
            return (Truth::False, reasons::NOT_CREATED.into(), message);
        }
        Presence::Present(object) => object,
    };
    let conditions = object["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let text =
        |condition: &Value, name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    match ready {
        Some(ready) if ready["status"] == "True" && is_outdated(object) => {
            let message = format!(
                "ExternalSecret {name}: External Secrets has synced an older version of it, not yet the present one"
            );
            (Truth::Unknown, "Waiting".into(), message)
        }
        Some(ready) if ready["status"] == "True" => {
            (Truth::True, text(ready, "reason"), text(ready, "message"))
        }
        Some(ready) if ready["status"] == "False" => {
            let message = format!("ExternalSecret {name}: {}", text(ready, "message"));
            (Truth::False, text(ready, "reason"), message)
        }
        _ => {
            let message = format!("ExternalSecret {name}: External Secrets has not answered yet");
            (Truth::Unknown, "Waiting".into(), message)
        }
    }
}

/// Whether what External Secrets says is about an older version: it notes `<generation>-<hash of labels and annotations>`.
fn is_outdated(external_secret: &Value) -> bool {
    let synced = external_secret["status"]["syncedResourceVersion"].as_str();
    let generation = synced
        .and_then(|version| version.split('-').next())
        .and_then(|generation| generation.parse::<i64>().ok());
    let present = external_secret["metadata"]["generation"].as_i64();
    generation
        .zip(present)
        .is_some_and(|(synced, present)| synced < present)
}

fn service_monitor_created(server: &McpServer, pass: &Pass) -> Option<Statement> {
    let say = |truth, reason: &str, message: &str| {
        Some(Statement::new(
            SERVICE_MONITOR_CREATED,
            truth,
            reason,
            message,
        ))
    };
    let presence = pass.service_monitor.as_ref()?;
    let failed = |kind| kind == ManagedKind::ServiceMonitor;
    if let Some(failure) = failure_of(pass, failed).filter(|failure| failure.kind.is_some()) {
        return say(Truth::False, &failure.reason, &failure.message);
    }
    match presence {
        Presence::Present(object) => say(
            Truth::True,
            "Created",
            &scraped(server, object["metadata"]["namespace"].as_str()),
        ),
        Presence::Missing => say(
            Truth::False,
            reasons::NOT_CREATED,
            "The ServiceMonitor has not been created",
        ),
        Presence::NotServed => say(
            Truth::False,
            "ApiNotInstalled",
            "The Prometheus operator (monitoring.coreos.com/v1) is not installed: install it, or set spec.observability.metrics.enabled to false",
        ),
    }
}

/// Who looks for a ServiceMonitor looks in the namespace of its server first.
fn scraped(server: &McpServer, namespace: Option<&str>) -> String {
    match namespace.filter(|namespace| Some(*namespace) != server.namespace().as_deref()) {
        Some(elsewhere) => {
            format!("Prometheus scrapes the pods, by a ServiceMonitor in the namespace {elsewhere}")
        }
        None => "Prometheus scrapes the pods".into(),
    }
}

fn disruption_budget_withheld(server: &McpServer) -> Option<Statement> {
    build::disruption_budget_withheld(server).then(|| {
        Statement::new(
            DISRUPTION_BUDGET_CREATED,
            Truth::False,
            "WouldBlockDrains",
            "No PodDisruptionBudget: it would let no pod go, and no node could be drained. Set more replicas, a lower minAvailable, or podDisruptionBudget.enabled to false",
        )
    })
}

/// The registration's condition, where a registration is wanted. Not there yet means unknown.
pub(crate) fn registration(server: &McpServer, conditions: &[Condition]) -> Option<Condition> {
    server.spec.litellm.auto_register.then(|| {
        conditions::find(conditions, LITELLM_REGISTERED)
            .cloned()
            .unwrap_or_else(|| {
                let waiting = Statement::new(
                    LITELLM_REGISTERED,
                    Truth::Unknown,
                    "Waiting",
                    "Not registered with LiteLLM yet",
                );
                waiting.condition(&[], None, Timestamp::UNIX_EPOCH)
            })
    })
}

/// The first thing that is missing gives the summary its reason.
fn ready(needed: &[&Statement], pass: &Pass, registered: Option<&Condition>) -> Statement {
    let no = |reason: &str, message: &str| Statement::new(READY, Truth::False, reason, message);
    if let Some(missing) = needed
        .iter()
        .find(|statement| statement.status != Truth::True)
    {
        return no(&missing.reason, &missing.message);
    }
    // An optional API that fails has a condition of its own; everything else was asked for.
    let asked_for = |kind: ManagedKind| !kind.is_optional();
    if let Some(failure) = failure_of(pass, asked_for) {
        return no(&failure.reason, &failure.message);
    }
    match registered.filter(|condition| condition.status != "True") {
        Some(missing) => no(&missing.reason, &missing.message),
        None => Statement::new(
            READY,
            Truth::True,
            "Ready",
            "Everything is there and serves",
        ),
    }
}
