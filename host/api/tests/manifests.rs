//! The manifests that users write, and the schema that judges them.
#![cfg(feature = "crd")]
#![allow(clippy::unwrap_used, reason = "a test")]

use kube::{CustomResourceExt, Resource};
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer, ServerType, Spread, Transport};
use serde_json::{Value, json};

fn server(spec: Value) -> McpServer {
    let object = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1",
        "kind": "MCPServer",
        "metadata": { "name": "github", "namespace": "tools" },
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn an_image_is_all_that_must_be_said() {
    let spec = server(json!({ "image": { "repository": "ghcr.io/acme/mcp" } })).spec;
    assert_eq!(spec.server_type, ServerType::InternalApi);
    assert_eq!(spec.transport, Transport::Http);
    assert_eq!(
        (spec.port, spec.replicas, spec.endpoint_path()),
        (8080, 2, "/mcp")
    );
    assert_eq!(spec.affinity.pod_anti_affinity, Spread::Preferred);
    assert!(spec.pod_disruption_budget.enabled && spec.litellm.auto_register);
    assert!(
        !spec.observability.metrics.enabled,
        "most servers have none"
    );
}

#[test]
fn what_is_written_is_read_again() {
    let spec = json!({
        "type": "external-saas", "transport": "http", "replicas": 3,
        "image": { "repository": "ghcr.io/acme/mcp", "tag": "1.0.0" },
        "resources": { "limits": { "cpu": 1, "memory": "512Mi" } },
        "config": { "githubOrg": "acme", "nested": { "list": [1, "two"] } },
        "secrets": [{ "name": "github-token", "awsSecretKey": "mcp/github/token" }],
        "podDisruptionBudget": { "maxUnavailable": "50%" },
        "autoscaling": { "maxReplicas": 5, "targetCPUUtilizationPercentage": 70 },
    });
    let once = server(spec);
    let again: McpServer = serde_json::from_value(serde_json::to_value(&once).unwrap()).unwrap();
    assert_eq!(once, again);
}

#[test]
fn names_are_those_of_the_contract() {
    assert_eq!(
        (McpServer::kind(&()), McpPlugin::kind(&())),
        ("MCPServer".into(), "MCPPlugin".into())
    );
    assert_eq!(
        McpServer::crd().metadata.name.as_deref(),
        Some("mcpservers.mcp.litellm.ai")
    );
    assert_eq!(
        McpPlugin::crd().metadata.name.as_deref(),
        Some("mcpplugins.mcp.litellm.ai")
    );
}

/// `kubectl explain` shows descriptions: every field needs one.
#[test]
fn every_field_is_described() {
    fn undescribed(path: &str, schema: &Value, found: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                found.push(path.clone());
            }
            undescribed(&path, property, found);
            undescribed(&path, &property["items"], found);
            undescribed(&path, &property["additionalProperties"], found);
        }
    }
    let mut found = Vec::new();
    for crd in [McpServer::crd(), McpPlugin::crd()] {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        for part in ["spec", "status"] {
            undescribed(
                part,
                &schema["openAPIV3Schema"]["properties"][part],
                &mut found,
            );
        }
    }
    assert!(found.is_empty(), "without description: {found:#?}");
}
