//! Status of an MCPServer, from the outcome of a reconcile.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::Resource;
use mcp_operator_api::names::conditions::{
    AUTOSCALING_ACTIVE, DEPLOYMENT_READY, DISRUPTION_BUDGET_CREATED, EXTERNAL_SECRET_SYNCED, READY,
    RECONCILING, SERVICE_MONITOR_CREATED, SPEC_VALID, STALLED,
};
use mcp_operator_api::v1alpha1::{Endpoints, McpServer, McpServerStatus, Phase};

use crate::build::{self, Settings};
use crate::conditions;
use crate::outcome::{ReconcileOutcome, Verdict};
use crate::server_conditions::{self, reasons};
use crate::server_key::ServerKey;

/// Conditions of the controller that are there only while there is something to say.
const ONLY_WHILE_TRUE: [&str; 6] = [
    AUTOSCALING_ACTIVE,
    DISRUPTION_BUDGET_CREATED,
    EXTERNAL_SECRET_SYNCED,
    RECONCILING,
    SERVICE_MONITOR_CREATED,
    STALLED,
];

/// The status after this reconcile. It holds only what the controller owns: the condition of the registration has another
/// writer.
pub fn compute(
    server: &McpServer,
    outcome: &ReconcileOutcome,
    settings: &Settings,
    now: Timestamp,
) -> McpServerStatus {
    let previous = server.status.clone().unwrap_or_default();
    let generation = server.meta().generation;
    let registered =
        server_conditions::registration(server, &previous.conditions, outcome.registration_is_old);
    let conditions: Vec<Condition> = server_conditions::all(server, outcome, registered.as_ref())
        .iter()
        .map(|draft| draft.condition(&previous.conditions, generation, now))
        .collect();
    let rollout = outcome.rollout.clone().unwrap_or_default();
    let status = McpServerStatus {
        phase: Some(phase(&conditions, registered.as_ref())),
        // A remote server has no pods that could be counted or scaled.
        ready: server.spec.remote.is_none().then(|| {
            let wanted = wanted_replicas(server, outcome);
            format!("{}/{wanted}", rollout.ready)
        }),
        endpoints: match (&server.spec.remote, outcome.has_service, &outcome.verdict) {
            (Some(_), _, Verdict::Valid) | (None, Some(true), Verdict::Valid) => {
                Some(endpoints(server, settings))
            }
            // What is there would be called by another address than it has, or it is somebody else's.
            (None, Some(false), _) => None,
            _ => previous.endpoints.clone(),
        },
        replicas: Some(i32::try_from(rollout.total).unwrap_or(i32::MAX)),
        selector: server.spec.remote.is_none().then(|| selector(server)),
        defaults: outcome
            .defaults
            .clone()
            .unwrap_or(previous.defaults.clone()),
        observed_generation: generation,
        last_updated: previous.last_updated.clone(),
        conditions,
        litellm: None,
    };
    if differs(&status, &previous) {
        McpServerStatus {
            last_updated: Some(Time(now)),
            ..status
        }
    } else {
        status
    }
}

/// Whether writing `new` over `old` changes anything but times.
pub fn differs(new: &McpServerStatus, old: &McpServerStatus) -> bool {
    let comparable = |status: &McpServerStatus| McpServerStatus {
        conditions: Vec::new(),
        last_updated: None,
        litellm: None,
        ..status.clone()
    };
    let is_said_no_longer = |kind: &&str| {
        let find = |status| conditions::find(status, kind);
        find(&old.conditions).is_some() && find(&new.conditions).is_none()
    };
    comparable(new) != comparable(old)
        || !conditions::unchanged(&new.conditions, &old.conditions)
        || ONLY_WHILE_TRUE.iter().any(is_said_no_longer)
}

/// Where a server stands, in one word: follows from its conditions.
///
/// `registered` is the condition of the registration where one is wanted.
pub fn phase(conditions: &[Condition], registered: Option<&Condition>) -> Phase {
    let status =
        |kind: &str| conditions::find(conditions, kind).map(|condition| condition.status.as_str());
    let reason =
        conditions::find(conditions, DEPLOYMENT_READY).map(|condition| condition.reason.as_str());
    // A remote server has no Deployment: where it stands is what the gateway says.
    if status(SPEC_VALID) == Some("True") && status(DEPLOYMENT_READY).is_none() {
        return match registered.map(|condition| condition.status.as_str()) {
            None | Some("True") if conditions::is_true(conditions, READY) => Phase::Ready,
            Some("Unknown") => Phase::Creating,
            _ => Phase::Failed,
        };
    }
    let without_secrets = status(EXTERNAL_SECRET_SYNCED) == Some("False");
    match (status(SPEC_VALID), status(DEPLOYMENT_READY), reason) {
        (Some("True"), Some("True"), _) => {
            match registered.map(|condition| condition.status.as_str()) {
                None | Some("True") if conditions::is_true(conditions, READY) => Phase::Ready,
                None | Some("True" | "False") => Phase::Failed,
                Some(_) => Phase::Creating,
            }
        }
        (Some("True"), _, Some(reasons::PROGRESSING)) => Phase::Updating,
        (Some("True"), _, Some(reasons::UNAVAILABLE | reasons::NOT_CREATED))
            if !without_secrets =>
        {
            Phase::Creating
        }
        (Some("False"), _, _) | (Some("True"), Some(_), _) => Phase::Failed,
        _ => Phase::Pending,
    }
}

fn wanted_replicas(server: &McpServer, outcome: &ReconcileOutcome) -> i64 {
    outcome
        .rollout
        .as_ref()
        .map_or(i64::from(server.spec.replicas), |rollout| rollout.wanted)
}

fn endpoints(server: &McpServer, settings: &Settings) -> Endpoints {
    if let Some(remote) = &server.spec.remote {
        return Endpoints {
            service: Some(remote.url.clone()),
            mcp: Some(remote.url.clone()),
            metrics: None,
        };
    }
    let key = ServerKey::of(server);
    let service = build::service_url(&key, settings, server.spec.port);
    let metrics = &server.spec.observability.metrics;
    let metrics_url = build::service_url(&key, settings, metrics.port.unwrap_or(server.spec.port));
    Endpoints {
        mcp: Some(format!("{service}{}", server.spec.endpoint_path())),
        metrics: metrics
            .enabled
            .then(|| format!("{metrics_url}{}", metrics.path)),
        service: Some(service),
    }
}

fn selector(server: &McpServer) -> String {
    let pairs: Vec<String> = build::selector(&ServerKey::of(server))
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(",")
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
