//! Objects that tests begin with.

use kube::core::ApiResource;
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, SERVER_KIND};
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A valid MCPServer that says no more than it must.
pub fn mcp_server(namespace: &str, name: &str) -> McpServer {
    mcp_server_with(namespace, name, json!({}))
}

/// A valid MCPServer with more in its specification.
///
/// # Panics
/// When the specification is not one of an MCPServer.
pub fn mcp_server_with(namespace: &str, name: &str, spec: Value) -> McpServer {
    let mut object = json!({
        "apiVersion": API_VERSION, "kind": SERVER_KIND,
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "image": { "repository": "ghcr.io/acme/mcp", "tag": "1.0.0" },
            "resources": { "limits": { "cpu": "500m", "memory": "256Mi" } },
        },
    });
    json_patch::merge(&mut object["spec"], &spec);
    typed(object)
}

/// An MCPPlugin with this specification.
///
/// # Panics
/// When the specification is not one of an MCPPlugin.
pub fn mcp_plugin(name: &str, spec: Value) -> McpPlugin {
    typed(json!({
        "apiVersion": API_VERSION, "kind": PLUGIN_KIND, "metadata": { "name": name }, "spec": spec,
    }))
}

#[expect(
    clippy::panic,
    reason = "a test that asks for an impossible object is wrong"
)]
fn typed<K: DeserializeOwned>(object: Value) -> K {
    match serde_json::from_value(object) {
        Ok(object) => object,
        Err(error) => panic!("no such object: {error}"),
    }
}

/// A namespace with these labels.
pub fn namespace(name: &str, labels: &[(&str, &str)]) -> Value {
    let labels: serde_json::Map<String, Value> = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels },
        "status": { "phase": "Active" },
    })
}

/// A ConfigMap with this data.
pub fn config_map(namespace: &str, name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace }, "data": data,
    })
}

/// A Secret with this data, whose values are in base64.
pub fn secret(namespace: &str, name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": name, "namespace": namespace }, "data": data,
    })
}

/// An established definition of a namespaced custom resource: its API is served.
pub fn custom_resource_definition(api: &ApiResource) -> Value {
    let schema = json!({ "openAPIV3Schema": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
    } });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{}", api.plural, api.group) },
        "spec": {
            "group": api.group, "scope": "Namespaced",
            "names": { "kind": api.kind, "plural": api.plural },
            "versions": [{ "name": api.version, "served": true, "storage": true, "schema": schema }],
        },
        "status": {
            "conditions": [{ "type": "Established", "status": "True", "reason": "InitialNamesAccepted", "message": "the initial names have been accepted" }],
            "acceptedNames": { "kind": api.kind, "plural": api.plural },
            "storedVersions": [api.version],
        },
    })
}

#[cfg(test)]
mod tests {
    use mcp_operator_core::build;

    use super::*;

    #[test]
    fn the_smallest_server_becomes_objects() {
        let server = mcp_server("tools", "weather");
        assert!(!build::objects(&server, &build::Settings::default()).is_empty());
        let server = mcp_server_with("tools", "weather", json!({ "replicas": 3 }));
        assert_eq!(server.spec.replicas, 3);
    }
}
