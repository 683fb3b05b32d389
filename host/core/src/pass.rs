//! What one pass of the controller did and saw.

use serde_json::Value;

use crate::build::SecretObject;
use crate::field::FieldError;
use crate::manifest::ManagedKind;
use crate::pods::Trouble;
use crate::rollout::Rollout;

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
