//! What the settings say that is to be answered: JSON with the names of the contract.

use serde_json::{Map, Value};

use crate::bindings::exports::mcp_operator::plugin::defaulter::{Patch, PatchOperation, PathValue};
use crate::bindings::exports::mcp_operator::plugin::registrar::{
    Action, ConfigKey, ConfigKeyWrite, HttpRequest, Read, ReadSource, Registration,
    RegistrationPlan, RegistrationState, Roll, Step, Workload,
};
use crate::bindings::mcp_operator::plugin::types::{Failure, Finding, NamedJson, Severity};

/// What is to be answered.
pub(crate) enum Answer {
    /// What was asked.
    Echo,
    /// How often this instance was asked.
    Count,
    /// This.
    Ok(Value),
}

/// A value is not what its place wants.
#[derive(Debug)]
pub(crate) struct Unreadable;

type Readable<T> = Result<T, Unreadable>;

impl From<Unreadable> for Failure {
    fn from(_: Unreadable) -> Self {
        Self::InvalidSettings("unreadable".into())
    }
}

/// Reads the settings. A failure that they want is the error.
pub(crate) fn answer(settings: &str) -> Result<Answer, Failure> {
    let mut settings: Value = serde_json::from_str(settings).map_err(|_| Unreadable)?;
    match settings["answer"].take() {
        Value::String(word) if word == "echo" => Ok(Answer::Echo),
        Value::String(word) if word == "count" => Ok(Answer::Count),
        #[expect(clippy::panic, reason = "it is what is asked for")]
        Value::String(word) if word == "trap" => panic!("as the settings say"),
        said => match one(&said)? {
            ("ok", said) => Ok(Answer::Ok(said.clone())),
            ("failure", said) => Err(failure(said)?),
            _ => Err(Unreadable.into()),
        },
    }
}

fn failure(said: &Value) -> Readable<Failure> {
    let (case, message) = one(said)?;
    let message = message.as_str().ok_or(Unreadable)?.to_owned();
    match case {
        "invalid-settings" => Ok(Failure::InvalidSettings(message)),
        "unsupported" => Ok(Failure::Unsupported(message)),
        "internal" => Ok(Failure::Internal(message)),
        _ => Err(Unreadable),
    }
}

pub(crate) fn findings(said: &Value) -> Readable<Vec<Finding>> {
    list(said, |said| {
        Ok(Finding {
            code: text(said, "code")?,
            field: text(said, "field")?,
            error_type: text(said, "error-type")?,
            bad_value: optional(said, "bad-value"),
            message: text(said, "message")?,
            severity: match said["severity"].as_str() {
                Some("error") => Severity::Error,
                Some("warning") => Severity::Warning,
                _ => return Err(Unreadable),
            },
        })
    })
}

pub(crate) fn patches(said: &Value) -> Readable<Vec<Patch>> {
    list(said, |said| {
        let object = said["object"].as_u64().ok_or(Unreadable)?;
        Ok(Patch {
            object: u32::try_from(object).map_err(|_| Unreadable)?,
            code: text(said, "code")?,
            operations: list(&said["operations"], operation)?,
        })
    })
}

fn operation(said: &Value) -> Readable<PatchOperation> {
    let change = |said: &Value| {
        let (path, value) = (text(said, "path")?, text(said, "value")?);
        Ok::<_, Unreadable>(PathValue { path, value })
    };
    match one(said)? {
        ("add", said) => change(said).map(PatchOperation::Add),
        ("replace", said) => change(said).map(PatchOperation::Replace),
        ("remove", Value::String(path)) => Ok(PatchOperation::Remove(path.clone())),
        _ => Err(Unreadable),
    }
}

pub(crate) fn reads(said: &Value) -> Readable<Vec<Read>> {
    list(said, |said| {
        Ok(Read {
            id: text(said, "id")?,
            source: match one(&said["source"])? {
                ("config-key", said) => ReadSource::ConfigKey(config_key(said)?),
                ("workload", said) => ReadSource::Workload(workload(said)?),
                ("http", said) => ReadSource::Http(http_request(said)?),
                _ => return Err(Unreadable),
            },
            written: said["written"].as_bool().ok_or(Unreadable)?,
        })
    })
}

pub(crate) fn plan(said: &Value) -> Readable<RegistrationPlan> {
    Ok(RegistrationPlan {
        steps: list(&said["steps"], |said| {
            Ok(Step {
                action: action(&said["action"])?,
                servers: list(&said["servers"], |name| {
                    Ok(name.as_str().ok_or(Unreadable)?.to_owned())
                })?,
            })
        })?,
        registrations: list(&said["registrations"], registration)?,
        extra: list(&said["extra"], |said| {
            Ok(NamedJson {
                name: text(said, "name")?,
                value: text(said, "value")?,
            })
        })?,
    })
}

fn action(said: &Value) -> Readable<Action> {
    match one(said)? {
        ("write-config-key", said) => Ok(Action::WriteConfigKey(ConfigKeyWrite {
            key: config_key(&said["key"])?,
            content: optional(said, "content"),
        })),
        ("roll", said) => Ok(Action::Roll(Roll {
            workload: workload(&said["workload"])?,
            value: text(said, "value")?,
        })),
        ("send", said) => http_request(said).map(Action::Send),
        _ => Err(Unreadable),
    }
}

fn registration(said: &Value) -> Readable<Registration> {
    Ok(Registration {
        server: text(said, "server")?,
        registered_name: text(said, "registered-name")?,
        state: match said["state"].as_str() {
            Some("registered") => RegistrationState::Registered,
            Some("pending") => RegistrationState::Pending,
            Some("absent") => RegistrationState::Absent,
            Some("refused") => RegistrationState::Refused,
            _ => return Err(Unreadable),
        },
        reason: text(said, "reason")?,
        message: text(said, "message")?,
    })
}

fn config_key(said: &Value) -> Readable<ConfigKey> {
    Ok(ConfigKey {
        namespace: text(said, "namespace")?,
        name: text(said, "name")?,
        key: text(said, "key")?,
    })
}

fn workload(said: &Value) -> Readable<Workload> {
    Ok(Workload {
        kind: text(said, "kind")?,
        namespace: text(said, "namespace")?,
        name: text(said, "name")?,
    })
}

fn http_request(said: &Value) -> Readable<HttpRequest> {
    let pair = |said: &Value| match said.as_array().map(Vec::as_slice) {
        Some([Value::String(name), Value::String(value)]) => Ok((name.clone(), value.clone())),
        _ => Err(Unreadable),
    };
    Ok(HttpRequest {
        connection: text(said, "connection")?,
        method: text(said, "method")?,
        path: text(said, "path")?,
        headers: list(&said["headers"], pair)?,
        body: optional(said, "body"),
    })
}

/// The case of a variant, and what belongs to it.
fn one(said: &Value) -> Readable<(&str, &Value)> {
    let mut cases = said.as_object().into_iter().flat_map(Map::iter);
    match (cases.next(), cases.next()) {
        (Some((case, value)), None) => Ok((case, value)),
        _ => Err(Unreadable),
    }
}

fn list<T>(said: &Value, item: impl Fn(&Value) -> Readable<T>) -> Readable<Vec<T>> {
    said.as_array()
        .ok_or(Unreadable)?
        .iter()
        .map(item)
        .collect()
}

fn text(said: &Value, name: &str) -> Readable<String> {
    said[name].as_str().map(str::to_owned).ok_or(Unreadable)
}

fn optional(said: &Value, name: &str) -> Option<String> {
    said[name].as_str().map(str::to_owned)
}
