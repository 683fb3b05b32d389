use mcp_testkit::objects::mcp_server;
use serde_json::json;

use super::*;
use crate::test_cluster::{PLAIN, TestCluster};

fn applied() -> Value {
    json!({
        "metadata": {
            "name": "weather", "namespace": "tools", "uid": "1", "labels": { "team": "a" },
            "annotations": { "mcp.litellm.ai/defaults": "{\"spec.resources.limits.cpu\":\"sizes\"}" },
            "managedFields": [
                { "manager": "argocd", "operation": "Apply", "fieldsV1": {
                    "f:metadata": { "f:labels": { "f:team": {} } },
                    "f:spec": { "f:image": { "f:repository": {}, "f:tag": {} }, "f:env": { "k:{\"name\":\"TOKEN\"}": { ".": {}, "f:name": {}, "f:value": {} } } },
                } },
                { "manager": "kubectl-scale", "operation": "Update", "subresource": "scale", "fieldsV1": {
                    "f:spec": { "f:replicas": {} },
                } },
                { "manager": "mcp-operator", "operation": "Apply", "subresource": "status", "fieldsV1": {
                    "f:spec": { "f:port": {} },
                } },
            ],
        },
        "spec": {
            "image": { "repository": "acme/mcp", "tag": "1.0.0" }, "replicas": 5, "port": 8080,
            "resources": { "limits": { "cpu": "500m" } },
            "env": [{ "name": "TOKEN", "value": "hunter22hunter22" }],
        },
        "status": { "defaults": [{ "field": "spec.securityContext.runAsUser", "plugin": "compliance" }] },
    })
}

fn explained(server: &Value, field: &str) -> String {
    let view = view(server, &[], Some(field), Vec::new()).unwrap();
    view.fields
        .iter()
        .map(|it| it.author.to_string())
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn each_field_has_whoever_set_it() {
    let server = applied();
    insta::assert_snapshot!(view(&server, &[], None, Vec::new()).unwrap().text(&PLAIN), @r#"
    FIELD                            VALUE              SET BY
    metadata.labels[team]            "a"                manifest (argocd)
    spec.env                         ...                manifest (argocd)
    spec.image.repository            "acme/mcp"         manifest (argocd)
    spec.image.tag                   "1.0.0"            manifest (argocd)
    spec.port                        8080               default of the schema
    spec.replicas                    5                  kubectl-scale
    spec.resources.limits.cpu        "500m"             plugin sizes
    spec.securityContext.runAsUser   (in the objects)   plugin compliance
    "#);
    assert_eq!(
        explained(&server, "spec.image"),
        "manifest (argocd); manifest (argocd)"
    );
    assert_eq!(
        explained(&server, "spec.securityContext"),
        "plugin compliance"
    );
}

/// To the API server, what `kubectl apply` without `--server-side` sends is written as a whole, defaults and all.
#[test]
fn of_a_client_side_apply_the_manifest_is_known() {
    let mut server = applied();
    server["metadata"]["managedFields"] = json!([
        { "manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {
            "f:spec": { "f:image": { "f:repository": {}, "f:tag": {} }, "f:port": {}, "f:replicas": {} },
        } },
    ]);
    assert_eq!(
        explained(&server, "spec.port"),
        "default of the schema, or so in the manifest (kubectl-client-side-apply)"
    );
    let manifest =
        json!({ "spec": { "image": { "repository": "acme/mcp", "tag": "1.0.0" }, "replicas": 2 } });
    server["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
        manifest.to_string().into();
    assert_eq!(explained(&server, "spec.port"), "default of the schema");
    assert_eq!(
        explained(&server, "spec.image.tag"),
        "manifest (kubectl-client-side-apply)"
    );
    // Somebody has changed it since.
    assert_eq!(
        explained(&server, "spec.replicas"),
        "kubectl-client-side-apply"
    );
}

#[test]
fn a_field_that_nobody_sets_is_told_from_one_that_there_is_not() {
    let server = applied();
    let error = |field| {
        view(&server, &[], Some(field), Vec::new())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("spec.path"),
        "nobody sets spec.path, and the schema has no default for it"
    );
    assert!(error("spec.prot").starts_with("an MCPServer has no field spec.prot"));
}

#[tokio::test]
async fn what_others_write_into_the_objects_is_said() {
    let cluster = TestCluster::new();
    cluster.api.put(mcp_server("tools", "weather"));
    cluster.api.put_as("kubectl-rollout", json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "mcp-weather", "namespace": "tools", "labels": { "mcp.litellm.ai/server": "weather" } },
        "spec": { "replicas": 2 },
    }));
    let text = explain(&cluster.cluster(), "weather", None)
        .await
        .unwrap()
        .text(&PLAIN);
    assert!(
        text.contains("Deployment mcp-weather: kubectl-rollout sets"),
        "{text}"
    );
    assert!(text.contains("spec.replicas"), "{text}");
}
