//! What registrars read and plan, as JSON that people read and write.

use mcp_operator_core::registration_plan::{
    Action, ConfigKey, HttpRequest, HttpResponse, Observation, Observed, Plan, Read, Source, State,
    Workload, WorkloadState,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What was found for one read, as test cases say it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ObservationPart {
    id: String,
    found: Found,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Found {
    /// Content of a key; `null` if it is not there.
    ConfigKey(Option<String>),
    /// State of a workload; `null` if it is not there.
    Workload(Option<WorkloadPart>),
    /// An answer.
    Http(HttpPart),
    /// Why nothing could be read.
    Unavailable(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WorkloadPart {
    rolled_to: Option<String>,
    complete: bool,
    #[serde(default)]
    message: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpPart {
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    /// Text, or a document that becomes its JSON.
    #[serde(default)]
    body: Value,
}

impl From<ObservationPart> for Observation {
    fn from(part: ObservationPart) -> Self {
        let state = match part.found {
            Found::ConfigKey(content) => Observed::ConfigKey(content),
            Found::Workload(state) => Observed::Workload(state.map(|state| WorkloadState {
                rolled_to: state.rolled_to,
                complete: state.complete,
                message: state.message,
                obstacle: None,
            })),
            Found::Http(answer) => Observed::Http(HttpResponse {
                status: answer.status,
                headers: answer
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name.to_lowercase(), text(value)))
                    .collect(),
                body: text(answer.body),
            }),
            Found::Unavailable(why) => Observed::Unavailable(why),
        };
        Self { id: part.id, state }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(crate) fn reads(reads: &[Read]) -> Value {
    let read = |read: &Read| {
        let source = match &read.source {
            Source::ConfigKey(key) => json!({ "configKey": config_key(key) }),
            Source::Workload(named) => json!({ "workload": workload(named) }),
            Source::Http(request) => json!({ "http": http(request) }),
        };
        json!({ "id": read.id, "source": source, "written": read.written })
    };
    reads.iter().map(read).collect()
}

pub(crate) fn plan(plan: &Plan) -> Value {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            let mut members = action(&step.action);
            if !step.servers.is_empty() {
                members.insert("servers".into(), json!(step.servers));
            }
            Value::Object(members)
        })
        .collect();
    let registrations: Vec<Value> = plan
        .registrations
        .iter()
        .map(|one| {
            json!({
                "server": one.server, "registeredName": one.registered_name, "state": state(one.state),
                "reason": one.reason, "message": one.message,
            })
        })
        .collect();
    json!({ "steps": steps, "registrations": registrations })
}

fn action(action: &Action) -> Map<String, Value> {
    let (name, value) = match action {
        Action::WriteConfigKey(write) => {
            let mut key = config_key(&write.key);
            // Documents are compared as such: their members have no order.
            let content = write
                .content
                .as_ref()
                .map(|content| serde_json::from_str(content).unwrap_or_else(|_| json!(content)));
            key.insert("content".into(), json!(content));
            ("writeConfigKey", key)
        }
        Action::Roll(roll) => {
            let mut named = workload(&roll.workload);
            named.insert("value".into(), json!(roll.value));
            ("roll", named)
        }
        Action::Send(request) => ("send", http(request)),
    };
    Map::from_iter([(name.to_owned(), Value::Object(value))])
}

fn config_key(key: &ConfigKey) -> Map<String, Value> {
    members([
        ("namespace", &key.namespace),
        ("name", &key.name),
        ("key", &key.key),
    ])
}

fn workload(named: &Workload) -> Map<String, Value> {
    members([
        ("kind", &named.kind),
        ("namespace", &named.namespace),
        ("name", &named.name),
    ])
}

fn http(request: &HttpRequest) -> Map<String, Value> {
    let mut all = members([
        ("connection", &request.connection),
        ("method", &request.method),
        ("path", &request.path),
    ]);
    if !request.headers.is_empty() {
        let headers = request.headers.iter();
        all.insert(
            "headers".into(),
            headers
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect(),
        );
    }
    if let Some(body) = &request.body {
        let read = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
        all.insert("body".into(), read);
    }
    all
}

fn members<const N: usize>(values: [(&str, &String); N]) -> Map<String, Value> {
    let values = values.into_iter();
    values
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect()
}

fn state(state: State) -> &'static str {
    match state {
        State::Registered => "registered",
        State::Pending => "pending",
        State::Absent => "absent",
        State::Refused => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_read_from_what_a_case_says() {
        let read = |found: Value| {
            let part: ObservationPart =
                serde_json::from_value(json!({ "id": "a", "found": found })).unwrap();
            Observation::from(part).state
        };
        assert_eq!(
            read(json!({ "configKey": null })),
            Observed::ConfigKey(None)
        );
        assert_eq!(
            read(json!({ "unavailable": "why" })),
            Observed::Unavailable("why".into())
        );
        let answer =
            read(json!({ "http": { "status": 200, "headers": { "ETag": "x" }, "body": [1] } }));
        let Observed::Http(answer) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(
            (answer.body.as_str(), answer.headers[0].0.as_str()),
            ("[1]", "etag")
        );
    }
}
