//! What the plugin was asked, as JSON with the names of the contract.

use serde_json::{Value, json};

use crate::bindings::exports::mcp_operator::plugin::defaulter::DefaultingRequest;
use crate::bindings::exports::mcp_operator::plugin::registrar::{
    Observation, Observed, Registry, Server,
};
use crate::bindings::exports::mcp_operator::plugin::validator::Request;
use crate::bindings::mcp_operator::plugin::types::{NamedJson, Operation, Stage};

pub(crate) fn request(request: &Request) -> Value {
    let kind = &request.kind;
    let user = request.user.as_ref().map(|user| {
        json!({
            "username": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra,
        })
    });
    json!({
        "operation": match request.operation {
            Operation::Create => "create",
            Operation::Update => "update",
        },
        "stage": stage(request.stage),
        "kind": { "group": kind.group, "version": kind.version, "kind": kind.kind },
        "name": request.name,
        "namespace": request.namespace,
        "user": user,
        "dry-run": request.dry_run,
        "object": request.object,
        "old-object": request.old_object,
        "context": named(&request.context),
    })
}

pub(crate) fn defaulting_request(request: &DefaultingRequest) -> Value {
    json!({
        "stage": stage(request.stage),
        "server": request.server,
        "objects": request.objects,
        "context": named(&request.context),
    })
}

pub(crate) fn registry(registry: &Registry) -> Value {
    json!({
        "instance": registry.instance,
        "servers": registry.servers.iter().map(server).collect::<Value>(),
        "observations": registry.observations.iter().map(observation).collect::<Value>(),
        "context": named(&registry.context),
    })
}

fn server(server: &Server) -> Value {
    json!({
        "namespace": server.namespace, "name": server.name, "uid": server.uid,
        "created": server.created, "labels": server.labels, "url": server.url,
        "transport": server.transport, "description": server.description,
        "access-groups": server.access_groups, "allowed-tools": server.allowed_tools,
        "extra": named(&server.extra),
    })
}

fn observation(observation: &Observation) -> Value {
    let state = match &observation.state {
        Observed::ConfigKey(content) => json!({ "config-key": content }),
        Observed::Workload(state) => {
            let state = state.as_ref().map(|state| {
                json!({
                    "rolled-to": state.rolled_to, "complete": state.complete,
                    "message": state.message,
                })
            });
            json!({ "workload": state })
        }
        Observed::Http(answer) => json!({ "http": {
            "status": answer.status, "headers": answer.headers, "body": answer.body,
        } }),
        Observed::Unavailable(why) => json!({ "unavailable": why }),
    };
    json!({ "id": observation.id, "state": state })
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Admission => "admission",
        Stage::Reconcile => "reconcile",
    }
}

fn named(values: &[NamedJson]) -> Value {
    let value = |value: &NamedJson| json!({ "name": value.name, "value": value.value });
    values.iter().map(value).collect()
}
