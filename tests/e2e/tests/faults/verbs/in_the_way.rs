//! Objects of others.

use anyhow::Result;
use serde_json::{Value, json};

/// An object of somebody else with the name of a server's.
pub(super) fn in_the_way(namespace: &str, resource: &str) -> Result<Value> {
    let labels = json!({ "a": "b" });
    let selector = json!({ "matchLabels": labels });
    let (version, kind, spec) = match resource {
        "serviceaccounts" => ("v1", "ServiceAccount", Value::Null),
        "configmaps" => ("v1", "ConfigMap", Value::Null),
        "services" => ("v1", "Service", json!({ "ports": [{ "port": 80 }] })),
        "deployments" => (
            "apps/v1",
            "Deployment",
            json!({
                "selector": selector, "replicas": 0,
                "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "a", "image": "a" }] } },
            }),
        ),
        "poddisruptionbudgets" => (
            "policy/v1",
            "PodDisruptionBudget",
            json!({ "selector": selector }),
        ),
        "horizontalpodautoscalers" => (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({ "maxReplicas": 2, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "x" } }),
        ),
        "networkpolicies" => (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({ "podSelector": {} }),
        ),
        "externalsecrets" => (
            "external-secrets.io/v1",
            "ExternalSecret",
            json!({ "secretStoreRef": { "name": "a" }, "data": [] }),
        ),
        "servicemonitors" => (
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            json!({ "selector": selector, "endpoints": [] }),
        ),
        other => anyhow::bail!("nothing is known that could be in the way of {other}"),
    };
    let name = match kind {
        "ExternalSecret" => "mcp-a-secrets-token",
        // Named by its content.
        "ConfigMap" => "mcp-a-d08aeed7",
        _ => "mcp-a",
    };
    let metadata = json!({ "name": name, "namespace": namespace });
    let mut object = json!({ "apiVersion": version, "kind": kind, "metadata": metadata });
    if !spec.is_null() {
        object["spec"] = spec;
    }
    Ok(object)
}
