//! The documents that modules are asked with.

use mcp_plugin_sdk::{Operation, Request, normalized};
use serde_json::{Map, Value, json};

use crate::settings::Module;

/// As Gatekeeper asks a template: the request for review, and the parameters of a constraint.
pub(crate) fn gatekeeper(module: &Module, object: &Value, request: &Request) -> Value {
    let operation = match request.operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
    };
    let mut review = Map::new();
    let mut add = |name: &str, value: Value| review.insert(name.into(), value);
    add(
        "kind",
        json!({ "group": "mcp.litellm.ai", "version": "v1alpha1", "kind": "MCPServer" }),
    );
    add("operation", operation.into());
    add("name", object["metadata"]["name"].clone());
    add("namespace", object["metadata"]["namespace"].clone());
    add("dryRun", request.dry_run.into());
    add("object", object.clone());
    if let Some(old) = request.old_object() {
        add("oldObject", normalized(old));
    }
    if let Some(username) = &request.username {
        add(
            "userInfo",
            json!({
                "username": username, "uid": request.user_uid, "groups": request.groups,
                "extra": request.user_extra,
            }),
        );
    }
    if let Some(namespace) = request.namespace() {
        let metadata = json!({
            "name": namespace.name, "labels": namespace.labels, "annotations": namespace.annotations,
        });
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        add("_unstable", json!({ "namespace": namespace }));
        add("namespaceObject", namespace);
    }
    json!({ "review": review, "parameters": module.parameters })
}
