//! Status of an MCPServer, from what was done and seen.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::conditions::{
    DEPLOYMENT_READY, EXTERNAL_SECRET_SYNCED, READY, SPEC_VALID,
};
use mcp_operator_api::v1alpha1::{Endpoints, McpServer, McpServerStatus, Phase};

use crate::build::{self, Settings};
use crate::conditions;
use crate::pass::Pass;
use crate::statements::{self, reasons};

/// The status that this pass leads to. Only what the controller owns is in it: the registration's
/// condition belongs to another writer.
pub fn compute(
    server: &McpServer,
    pass: &Pass,
    settings: &Settings,
    now: Timestamp,
) -> McpServerStatus {
    let previous = server.status.clone().unwrap_or_default();
    let generation = server.meta().generation;
    let registered = statements::registration(server, &previous.conditions);
    let conditions: Vec<Condition> = statements::all(server, pass, registered.as_ref())
        .iter()
        .map(|statement| statement.condition(&previous.conditions, generation, now))
        .collect();
    let rollout = pass.rollout.clone().unwrap_or_default();
    let status = McpServerStatus {
        phase: Some(phase(&conditions, registered.as_ref())),
        ready: Some(format!("{}/{}", rollout.ready, wanted(server, pass))),
        endpoints: Some(endpoints(server, settings)),
        replicas: Some(i32::try_from(rollout.total).unwrap_or(i32::MAX)),
        selector: Some(selector(server)),
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
    comparable(new) != comparable(old) || !conditions::contained(&new.conditions, &old.conditions)
}

/// Where a server stands, in one word: follows from its conditions.
///
/// `registered` is the condition of the registration where one is wanted.
pub fn phase(conditions: &[Condition], registered: Option<&Condition>) -> Phase {
    let status =
        |kind: &str| conditions::find(conditions, kind).map(|condition| condition.status.as_str());
    let reason =
        conditions::find(conditions, DEPLOYMENT_READY).map(|condition| condition.reason.as_str());
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

fn wanted(server: &McpServer, pass: &Pass) -> i64 {
    pass.rollout
        .as_ref()
        .map_or(i64::from(server.spec.replicas), |rollout| rollout.wanted)
}

fn endpoints(server: &McpServer, settings: &Settings) -> Endpoints {
    let service = build::service_url(server, settings, server.spec.port);
    let metrics = &server.spec.observability.metrics;
    let scraped = build::service_url(server, settings, metrics.port.unwrap_or(server.spec.port));
    Endpoints {
        mcp: Some(format!("{service}{}", server.spec.endpoint_path())),
        metrics: metrics
            .enabled
            .then(|| format!("{scraped}{}", metrics.path)),
        service: Some(service),
    }
}

fn selector(server: &McpServer) -> String {
    let pairs: Vec<String> = build::selector(server)
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(",")
}

/// `namespace/name` of a server, for logs and plans.
pub fn key(server: &McpServer) -> String {
    format!(
        "{}/{}",
        server.namespace().unwrap_or_default(),
        server.name_any()
    )
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
