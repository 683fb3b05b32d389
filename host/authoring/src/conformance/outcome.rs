//! What a plugin answered, as JSON with the names of the contract. Nothing is left out.

use anyhow::{Result, bail};
use mcp_plugin_host::contract::registrar::{
    Action, ConfigKey, HttpRequest, Read, ReadSource, Registration, RegistrationPlan,
    RegistrationState, Step, Workload,
};
use mcp_plugin_host::contract::{
    Description, Finding, NamedJsonResult, Patch, PatchOperation, Rule, Severity,
};
use mcp_plugin_host::{Fault, PluginError};
use serde_json::{Value, json};

use super::Function;

/// The outcome of a call, as cases expect it.
pub(super) fn outcome(answer: Result<Value, PluginError>) -> Value {
    match answer {
        Ok(said) => json!({ "ok": said }),
        Err(error) => match error.fault() {
            Fault::InvalidSettings { message, .. } => {
                json!({ "failure": { "invalid-settings": message } })
            }
            Fault::Unsupported { message, .. } => json!({ "failure": { "unsupported": message } }),
            Fault::Internal { message, .. } => json!({ "failure": { "internal": message } }),
            Fault::Trapped { .. } => json!("trap"),
            other => json!({ "no answer": other.to_string() }),
        },
    }
}

/// The outcome of a call that answers its input.
pub(super) fn echo(function: Function, input: &Value) -> Result<Value> {
    let text = input.to_string();
    let answer = match function {
        Function::Validate => json!([{
            "code": "echo", "field": "", "error-type": "Invalid", "bad-value": text,
            "message": "echo", "severity": "warning",
        }]),
        Function::Defaults => json!([{
            "object": 0, "code": "echo", "operations": [{ "add": { "path": "/echo", "value": text } }],
        }]),
        Function::Plan => json!({
            "steps": [],
            "registrations": [{
                "server": "", "registered-name": "", "state": "pending", "reason": "Echo",
                "message": text,
            }],
            "extra": [],
        }),
        Function::Describe | Function::ValidateSettings | Function::Observe => {
            bail!("{function:?} has no input")
        }
    };
    Ok(json!({ "ok": answer }))
}

pub(super) fn description(said: Description) -> Value {
    let Description {
        name,
        version,
        summary,
        url,
        rules,
        context,
        settings_schema,
        extra,
    } = said;
    let rule = |Rule { code, summary }: Rule| json!({ "code": code, "summary": summary });
    json!({
        "name": name, "version": version, "summary": summary, "url": url,
        "rules": rules.into_iter().map(rule).collect::<Value>(),
        "context": context, "settings-schema": settings_schema, "extra": named(extra),
    })
}

pub(super) fn findings(said: Vec<Finding>) -> Value {
    let finding = |said: Finding| {
        let Finding {
            code,
            field,
            error_type,
            bad_value,
            message,
            severity,
        } = said;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        json!({
            "code": code, "field": field, "error-type": error_type, "bad-value": bad_value,
            "message": message, "severity": severity,
        })
    };
    said.into_iter().map(finding).collect()
}

pub(super) fn patches(said: Vec<Patch>) -> Value {
    let patch = |said: Patch| {
        let Patch {
            object,
            code,
            operations,
        } = said;
        let operations: Value = operations.into_iter().map(operation).collect();
        json!({ "object": object, "code": code, "operations": operations })
    };
    said.into_iter().map(patch).collect()
}

fn operation(said: PatchOperation) -> Value {
    match said {
        PatchOperation::Add(change) => {
            json!({ "add": { "path": change.path, "value": change.value } })
        }
        PatchOperation::Replace(change) => {
            json!({ "replace": { "path": change.path, "value": change.value } })
        }
        PatchOperation::Remove(path) => json!({ "remove": path }),
    }
}

pub(super) fn reads(said: Vec<Read>) -> Value {
    let read = |said: Read| {
        let Read {
            id,
            source,
            written,
        } = said;
        let source = match source {
            ReadSource::ConfigKey(key) => json!({ "config-key": config_key(key) }),
            ReadSource::Workload(named) => json!({ "workload": workload(named) }),
            ReadSource::Http(request) => json!({ "http": http_request(request) }),
        };
        json!({ "id": id, "source": source, "written": written })
    };
    said.into_iter().map(read).collect()
}

pub(super) fn plan(said: RegistrationPlan) -> Value {
    let RegistrationPlan {
        steps,
        registrations,
        extra,
    } = said;
    json!({
        "steps": steps.into_iter().map(step).collect::<Value>(),
        "registrations": registrations.into_iter().map(registration).collect::<Value>(),
        "extra": named(extra),
    })
}

fn step(Step { action, servers }: Step) -> Value {
    let action = match action {
        Action::WriteConfigKey(write) => {
            let key = config_key(write.key);
            json!({ "write-config-key": { "key": key, "content": write.content } })
        }
        Action::Roll(roll) => {
            json!({ "roll": { "workload": workload(roll.workload), "value": roll.value } })
        }
        Action::Send(request) => json!({ "send": http_request(request) }),
    };
    json!({ "action": action, "servers": servers })
}

fn registration(said: Registration) -> Value {
    let Registration {
        server,
        registered_name,
        state,
        reason,
        message,
    } = said;
    let state = match state {
        RegistrationState::Registered => "registered",
        RegistrationState::Pending => "pending",
        RegistrationState::Absent => "absent",
        RegistrationState::Refused => "refused",
    };
    json!({
        "server": server, "registered-name": registered_name, "state": state, "reason": reason,
        "message": message,
    })
}

fn config_key(said: ConfigKey) -> Value {
    let ConfigKey {
        namespace,
        name,
        key,
    } = said;
    json!({ "namespace": namespace, "name": name, "key": key })
}

fn workload(said: Workload) -> Value {
    let Workload {
        kind,
        namespace,
        name,
    } = said;
    json!({ "kind": kind, "namespace": namespace, "name": name })
}

fn http_request(said: HttpRequest) -> Value {
    let HttpRequest {
        connection,
        method,
        path,
        headers,
        body,
    } = said;
    json!({
        "connection": connection, "method": method, "path": path, "headers": headers, "body": body,
    })
}

fn named(said: Vec<NamedJsonResult>) -> Value {
    let value =
        |NamedJsonResult { name, value }: NamedJsonResult| json!({ "name": name, "value": value });
    said.into_iter().map(value).collect()
}
