//! Status of an MCPServer, from what was done and seen.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::conditions::{
    DEPLOYMENT_READY, LITELLM_REGISTERED, READY, SPEC_VALID,
};
use mcp_operator_api::v1alpha1::{Endpoints, McpServer, McpServerStatus, Phase};

use crate::build::{self, Settings};
use crate::conditions::{self, Statement, Truth};
use crate::field::FieldError;
use crate::rollout::Rollout;

/// Reasons of `DeploymentReady` that [`phase`] tells apart.
pub mod reasons {
    /// All pods are there and of the present template.
    pub const AVAILABLE: &str = "MinimumReplicasAvailable";
    /// Some pods serve, not all are as they should be.
    pub const PROGRESSING: &str = "RolloutInProgress";
    /// No pod serves.
    pub const UNAVAILABLE: &str = "ReplicasUnavailable";
    /// The Deployment was not made yet.
    pub const NOT_CREATED: &str = "NotCreated";
}

/// What one pass of the controller came to.
#[derive(Clone, Debug)]
pub struct Pass {
    /// What the rules say about the specification.
    pub verdict: Verdict,
    /// What stopped the pass after that, if anything.
    pub failure: Option<Failure>,
    /// The Deployment as it is, if there is one.
    pub rollout: Option<Rollout>,
}

/// What the rules say about a specification.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It passes.
    Valid,
    /// It breaks rules. What was made from an earlier version stays.
    Invalid(Vec<FieldError>),
    /// A plugin that must be asked could not answer.
    Unknown(Failure),
}

/// Something that stopped a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable CamelCase word.
    pub reason: String,
    /// Sentence for people: what, where and what helps.
    pub message: String,
}

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
    let registered = registration(server, &previous.conditions);
    let (valid, deployed) = (spec_valid(&pass.verdict), deployment_ready(pass));
    let ready = ready(&[&valid, &deployed], registered.as_ref());
    let conditions: Vec<Condition> = [valid, deployed, ready]
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
    match (status(SPEC_VALID), status(DEPLOYMENT_READY), reason) {
        (Some("True"), Some("True"), _) => {
            match registered.map(|condition| condition.status.as_str()) {
                None | Some("True") => Phase::Ready,
                Some("False") => Phase::Failed,
                Some(_) => Phase::Creating,
            }
        }
        (Some("True"), _, Some(reasons::PROGRESSING)) => Phase::Updating,
        (Some("True"), _, Some(reasons::UNAVAILABLE | reasons::NOT_CREATED)) => Phase::Creating,
        (Some("False"), _, _) | (Some("True"), Some(_), _) => Phase::Failed,
        _ => Phase::Pending,
    }
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
    if let Some(failure) = &pass.failure {
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
    match &rollout.stuck {
        Some(stuck) => no(
            &stuck.reason,
            &format!("{}: {}", rollout.message(), stuck.message),
        ),
        None if rollout.available > 0 => no(reasons::PROGRESSING, &rollout.message()),
        None => no(reasons::UNAVAILABLE, &rollout.message()),
    }
}

/// The registration's condition, where a registration is wanted. Not there yet means unknown.
fn registration(server: &McpServer, conditions: &[Condition]) -> Option<Condition> {
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
fn ready(statements: &[&Statement], registered: Option<&Condition>) -> Statement {
    let missing = statements
        .iter()
        .find(|statement| statement.status != Truth::True);
    if let Some(missing) = missing {
        return Statement::new(
            READY,
            Truth::False,
            missing.reason.clone(),
            missing.message.clone(),
        );
    }
    match registered.filter(|condition| condition.status != "True") {
        Some(missing) => Statement::new(
            READY,
            Truth::False,
            missing.reason.clone(),
            missing.message.clone(),
        ),
        None => Statement::new(
            READY,
            Truth::True,
            "Ready",
            "Everything is there and serves",
        ),
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
