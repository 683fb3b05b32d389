//! What a reconcile of an MCPServer has done and observed: what its status is made from.

use mcp_operator_api::v1alpha1::DefaultedField;
use serde_json::Value;

use crate::build::SecretObject;
use crate::field::FieldError;
use crate::manifest::ManagedKind;
use crate::pods::PodIssue;
use crate::probe_failures::ProbeFailure;
use crate::rollout::Rollout;

/// The outcome of one reconcile.
#[derive(Clone, Debug)]
pub struct ReconcileOutcome {
    pub verdict: Verdict,
    /// What stopped the reconcile after the verdict, if anything.
    pub failure: Option<Failure>,
    /// Whether the Service is there and the server's. None: nobody can say.
    pub has_service: Option<bool>,
    /// The HorizontalPodAutoscaler, if there is one.
    pub autoscaler: Option<Value>,
    /// The observed state of the Deployment, if there is one.
    pub rollout: Option<Rollout>,
    /// Deployments cannot be read, so that there may be one although none is seen.
    pub deployments_unreadable: bool,
    /// What keeps a pod from serving, as the Kubernetes API says it.
    pub pod_issue: Option<PodIssue>,
    /// A probe that fails although its container runs.
    pub probe_failure: Option<ProbeFailure>,
    /// The Secrets that External Secrets was asked for.
    pub external_secrets: Vec<(SecretObject, Presence)>,
    /// The ServiceMonitor, where the specification asks for one.
    pub service_monitor: Option<Presence>,
    /// The fields that plugins set. None: nobody has said since the process began.
    pub defaults: Option<Vec<DefaultedField>>,
    /// What `LiteLLMRegistered` says is about a specification that is an older one for the gateway, too.
    pub registration_is_old: bool,
    /// What the operator cannot do for this server without it being an error: a permission that it lacks.
    pub notes: Vec<String>,
}

impl ReconcileOutcome {
    /// The outcome of a reconcile that has observed nothing yet.
    pub fn new(verdict: Verdict) -> Self {
        Self {
            verdict,
            failure: None,
            has_service: None,
            autoscaler: None,
            rollout: None,
            deployments_unreadable: false,
            pod_issue: None,
            probe_failure: None,
            external_secrets: Vec::new(),
            service_monitor: None,
            defaults: None,
            registration_is_old: false,
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
    Present(Value),
}

/// What the rules say about a specification.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It passes.
    Valid,
    /// It breaks rules. The objects of an earlier version stay.
    Invalid(Vec<FieldError>),
    /// A plugin that must be asked could not answer.
    Unknown(Failure),
}

/// What stopped a reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason of the conditions that it shows in.
    pub reason: String,
    /// Sentence for people: what, where and what helps.
    pub message: String,
    /// Kind of the object that it is about. None: all of them.
    pub kind: Option<ManagedKind>,
    /// It does not go away by itself: somebody has to do something.
    pub needs_somebody: bool,
}
