//! What a registrar asks to read and plans to do, as in the interface `registrar` of the plugin contract, which describes each
//! type and field.
//!
//! They are types of their own: those that wasmtime generates from the contract have its traits and, on their way into a
//! component, borrow, and nothing here may depend on a runtime. `policy/registrar.rs` translates them, and does not compile
//! where the contract has a field or a case that these have not.

use std::fmt;

/// Something that a registrar needs to know before it can plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The registrar's own name for it.
    pub id: String,
    /// What to read.
    pub source: Source,
    /// Whether the registrar registers servers there.
    pub written: bool,
}

/// What can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One key of a ConfigMap.
    ConfigKey(ConfigKey),
    /// A workload's rollout.
    Workload(Workload),
    /// A request that changes nothing.
    Http(HttpRequest),
}

/// One key of one ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigKey {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Name of the ConfigMap.
    pub name: String,
    /// Key in its data.
    pub key: String,
}

/// A workload whose pods can be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// `Deployment`.
    pub kind: String,
    /// Namespace of the workload.
    pub namespace: String,
    /// Name of the workload.
    pub name: String,
}

/// A request to a service that a registrar cannot reach itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Name of a connection of the MCPPlugin.
    pub connection: String,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Body, a JSON document.
    pub body: Option<String>,
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The registrar's own name for it.
    pub id: String,
    /// What was found.
    pub state: Observed,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Content of the key, if there is one.
    ConfigKey(Option<String>),
    /// State of the workload, if there is one.
    Workload(Option<WorkloadState>),
    /// An answer, whatever its status code.
    Http(HttpResponse),
    /// It could not be read.
    Unavailable(String),
}

impl Observed {
    /// Whether it will change soon without any event about it, so that it must be observed again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Workload(state) => state.as_ref().is_some_and(|state| !state.complete),
            Self::ConfigKey(_) | Self::Http(_) => false,
        }
    }
}

/// State of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadState {
    /// What its pods were last replaced for.
    pub rolled_to: Option<String>,
    /// All pods are of the present template and serve.
    pub complete: bool,
    /// Sentence about the rollout.
    pub message: String,
    /// Why it does not come to its end, where it waits for somebody to do something. The message says it, too.
    pub obstacle: Option<RolloutObstacle>,
}

/// Why the rollout of a workload does not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutObstacle {
    /// The workload.
    pub workload: Workload,
    /// Sentence with since when, why, and what helps.
    pub message: String,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, capped.
    pub body: String,
}

/// What to do, and how it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to do now, in this order.
    pub steps: Vec<Step>,
    /// How it stands with each server.
    pub registrations: Vec<Registration>,
}

impl Plan {
    /// Whether a registration is in progress, so that it must be planned again soon.
    pub fn is_pending(&self) -> bool {
        self.registrations
            .iter()
            .any(|registration| matches!(registration.state, State::Pending | State::Absent))
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub action: Action,
    /// For which servers, as `namespace/name`; empty: for all.
    pub servers: Vec<String>,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Put a whole ConfigMap key.
    WriteConfigKey(ConfigKeyWrite),
    /// Replace the pods of a workload.
    Roll(Roll),
    /// Send a request that changes something.
    Send(HttpRequest),
}

/// A ConfigMap key to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigKeyWrite {
    /// Which key.
    pub key: ConfigKey,
    /// New content; absent: remove the key.
    pub content: Option<String>,
}

/// A rollout to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// Which workload.
    pub workload: Workload,
    /// What for.
    pub value: String,
}

/// How it stands with one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `namespace/name`.
    pub server: String,
    /// Name in the gateway, or empty.
    pub registered_name: String,
    /// How it stands.
    pub state: State,
    /// Stable CamelCase word.
    pub reason: String,
    /// Sentence for people.
    pub message: String,
}

/// How it stands with one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In force, as far as the observations show.
    Registered,
    /// On its way. The gateway may know it as it was before.
    Pending,
    /// On its way, and it was seen that the gateway does not know it.
    Absent,
    /// Not before somebody changes something.
    Refused,
}

/// For logs: what is done, never what is written or sent.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteConfigKey(ConfigKeyWrite { key, .. }) => {
                write!(
                    f,
                    "write key {} of ConfigMap {}/{}",
                    key.key, key.namespace, key.name
                )
            }
            Self::Roll(Roll { workload, .. }) => {
                write!(
                    f,
                    "roll {} {}/{}",
                    workload.kind, workload.namespace, workload.name
                )
            }
            Self::Send(request) => write!(
                f,
                "{} {} over {}",
                request.method, request.path, request.connection
            ),
        }
    }
}
