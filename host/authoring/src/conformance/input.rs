//! What cases have as input: the records of the contract, by its names.

use mcp_plugin_host::contract::registrar::{
    HttpResponse, Observation, Observed, Server, WorkloadState,
};
use mcp_plugin_host::contract::{GroupVersionKind, NamedJson, Operation, Stage, UserInfo};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RequestInput {
    pub(super) operation: OperationInput,
    pub(super) stage: StageInput,
    pub(super) kind: KindInput,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) user: Option<UserInput>,
    pub(super) dry_run: bool,
    pub(super) object: String,
    pub(super) old_object: Option<String>,
    pub(super) context: Vec<NamedInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DefaultingInput {
    pub(super) stage: StageInput,
    pub(super) server: String,
    pub(super) objects: Vec<String>,
    pub(super) context: Vec<NamedInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RegistryInput {
    pub(super) instance: String,
    pub(super) servers: Vec<ServerInput>,
    pub(super) observations: Vec<ObservationInput>,
    pub(super) context: Vec<NamedInput>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OperationInput {
    Create,
    Update,
}

impl From<OperationInput> for Operation {
    fn from(input: OperationInput) -> Self {
        match input {
            OperationInput::Create => Self::Create,
            OperationInput::Update => Self::Update,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StageInput {
    Admission,
    Reconcile,
}

impl From<StageInput> for Stage {
    fn from(input: StageInput) -> Self {
        match input {
            StageInput::Admission => Self::Admission,
            StageInput::Reconcile => Self::Reconcile,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindInput {
    group: String,
    version: String,
    kind: String,
}

impl KindInput {
    pub(super) fn kind(&self) -> GroupVersionKind<'_> {
        GroupVersionKind {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserInput {
    username: String,
    uid: String,
    pub(super) groups: Vec<String>,
    pub(super) extra: Vec<(String, String)>,
}

impl UserInput {
    pub(super) fn info<'a>(
        &'a self,
        groups: &'a [&'a str],
        extra: &'a [(&'a str, &'a str)],
    ) -> UserInfo<'a> {
        UserInfo {
            username: &self.username,
            uid: &self.uid,
            groups,
            extra,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedInput {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ServerInput {
    namespace: String,
    name: String,
    uid: String,
    created: String,
    labels: Vec<(String, String)>,
    url: String,
    transport: String,
    description: String,
    access_groups: Vec<String>,
    allowed_tools: Option<Vec<String>>,
    extra: Vec<NamedInput>,
}

/// The lists of a server, as lists of borrowed text.
pub(super) struct Lists<'a> {
    labels: Vec<(&'a str, &'a str)>,
    access_groups: Vec<&'a str>,
    allowed_tools: Option<Vec<&'a str>>,
    extra: Vec<NamedJson<'a>>,
}

impl<'a> Lists<'a> {
    pub(super) fn of(input: &'a ServerInput) -> Self {
        Self {
            labels: pairs(&input.labels),
            access_groups: texts(&input.access_groups),
            allowed_tools: input.allowed_tools.as_deref().map(texts),
            extra: named(&input.extra),
        }
    }
}

impl ServerInput {
    pub(super) fn server<'a>(&'a self, lists: &'a Lists<'a>) -> Server<'a> {
        Server {
            namespace: &self.namespace,
            name: &self.name,
            uid: &self.uid,
            created: &self.created,
            labels: &lists.labels,
            url: &self.url,
            transport: &self.transport,
            description: &self.description,
            access_groups: &lists.access_groups,
            allowed_tools: lists.allowed_tools.as_deref(),
            extra: &lists.extra,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObservationInput {
    id: String,
    state: ObservedInput,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ObservedInput {
    ConfigKey(Option<String>),
    Workload(Option<WorkloadInput>),
    Http(HttpInput),
    Unavailable(String),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WorkloadInput {
    rolled_to: Option<String>,
    complete: bool,
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpInput {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl ObservationInput {
    pub(super) fn observation<'a>(&'a self, headers: &'a [(&'a str, &'a str)]) -> Observation<'a> {
        let state = match &self.state {
            ObservedInput::ConfigKey(content) => Observed::ConfigKey(content.as_deref()),
            ObservedInput::Workload(state) => {
                Observed::Workload(state.as_ref().map(|state| WorkloadState {
                    rolled_to: state.rolled_to.as_deref(),
                    complete: state.complete,
                    message: &state.message,
                }))
            }
            ObservedInput::Http(answer) => Observed::Http(HttpResponse {
                status: answer.status,
                headers,
                body: &answer.body,
            }),
            ObservedInput::Unavailable(why) => Observed::Unavailable(why),
        };
        Observation {
            id: &self.id,
            state,
        }
    }
}

/// The headers of an observation, which its record borrows.
pub(super) fn headers(input: &ObservationInput) -> Vec<(&str, &str)> {
    match &input.state {
        ObservedInput::Http(answer) => pairs(&answer.headers),
        _ => Vec::new(),
    }
}

pub(super) fn texts(values: &[String]) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

pub(super) fn pairs(values: &[(String, String)]) -> Vec<(&str, &str)> {
    let values = values.iter();
    values
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

pub(super) fn named(values: &[NamedInput]) -> Vec<NamedJson<'_>> {
    let values = values.iter();
    values
        .map(|NamedInput { name, value }| NamedJson { name, value })
        .collect()
}
