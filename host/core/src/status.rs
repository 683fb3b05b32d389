//! Status of an MCPServer, from what was done and seen.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::conditions::{
    DEPLOYMENT_READY, EXTERNAL_SECRET_SYNCED, READY, SPEC_VALID,
};
use mcp_operator_api::v1alpha1::{Endpoints, McpServer, McpServerStatus, Phase};
use serde_json::Value;

use crate::build::{self, SecretObject, Settings};
use crate::conditions;
use crate::field::FieldError;
use crate::manifest::ManagedKind;
use crate::pods::Trouble;
use crate::rollout::Rollout;
use crate::statements;

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
    /// Deployments cannot be read: that none is seen means nothing.
    pub blind: bool,
    /// What keeps a pod from serving, in the words of the API.
    pub trouble: Option<Trouble>,
    /// What External Secrets was asked for.
    pub external_secrets: Vec<(SecretObject, Presence)>,
    /// The ServiceMonitor, where one is wanted.
    pub service_monitor: Option<Presence>,
    /// What the operator cannot do for this server, which stops nothing: a permission that it lacks.
    pub notes: Vec<String>,
}

impl Pass {
    /// A pass that saw nothing yet.
    pub fn new(verdict: Verdict) -> Self {
        Self {
            verdict,
            failure: None,
            rollout: None,
            blind: false,
            trouble: None,
            external_secrets: Vec::new(),
            service_monitor: None,
            notes: Vec::new(),
        }
    }
}

/// Whether an object of an optional API is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// Its API is not installed in the cluster.
    NotServed,
    /// The API is there, the object is not.
    Missing,
    /// The object.
    Present(Value),
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
    /// Kind of the object that it happened to. None: the whole pass.
    pub kind: Option<ManagedKind>,
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
