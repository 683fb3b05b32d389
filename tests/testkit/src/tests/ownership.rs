//! What the fake writes into managed fields is what the operator reads there.

use kube::api::{Patch, PatchParams};
use mcp_operator_api::names::field_managers::SERVER;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::ssa_diff::{differences, owns};
use mcp_operator_core::validated_server::ValidatedServer;
use serde_json::{Value, json};

use super::{of_kind, value};
use crate::ApiServer;
use crate::objects::mcp_server_with;
use crate::workloads::deployment_defaults;

fn spec() -> Value {
    json!({
        "replicas": 2,
        "template": { "spec": { "containers": [{
            "name": "server", "image": "acme:1",
            "resources": { "limits": { "cpu": "0.5" } },
            "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
            "command": ["serve"],
        }] } },
    })
}

fn desired(spec: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "a", "labels": { "app": "a" } }, "spec": spec,
    })
}

fn paths(spec: &Value, live: &Value) -> Vec<String> {
    let found = differences(&desired(spec), live, SERVER);
    found.into_iter().map(|found| found.path).collect()
}

async fn applied(spec: &Value) -> (ApiServer, Value) {
    let server = ApiServer::new();
    server.admit("Deployment", |object| {
        deployment_defaults(object);
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        if container["resources"]["limits"]["cpu"] == "0.5" {
            container["resources"]["limits"]["cpu"] = json!("500m");
        }
    });
    let params = PatchParams::apply(SERVER).force();
    let api = of_kind(&server, ManagedKind::Deployment);
    let live = api.patch("a", &params, &Patch::Apply(&desired(spec))).await;
    (server, value(&live.unwrap()))
}

#[tokio::test]
async fn nothing_is_different_after_an_apply() {
    let (_, live) = applied(&spec()).await;
    assert_eq!(paths(&spec(), &live), Vec::<String>::new());
    assert!(owns(&live, SERVER, &["spec", "replicas"]));
    assert!(
        !owns(&live, SERVER, &["spec", "progressDeadlineSeconds"]),
        "a default is nobody's"
    );
}

#[tokio::test]
async fn what_others_add_is_no_difference() {
    let (server, _) = applied(&spec()).await;
    let live = server.edit("Deployment", "tools", "a", |object| {
        object["metadata"]["labels"]["human"] = json!("was here");
        let containers = &mut object["spec"]["template"]["spec"]["containers"];
        containers
            .as_array_mut()
            .unwrap()
            .insert(0, json!({ "name": "injected", "image": "mesh:1" }));
    });
    assert_eq!(paths(&spec(), &live.unwrap()), Vec::<String>::new());
}

#[tokio::test]
async fn another_value_a_further_field_and_a_missing_one_are_differences() {
    let (server, live) = applied(&spec()).await;
    let mut wanted = spec();
    wanted["replicas"] = json!(3);
    wanted["minReadySeconds"] = json!(5);
    wanted["template"]["spec"]["containers"][0]["ports"] = json!([]);
    let found = paths(&wanted, &live);
    assert_eq!(found.len(), 3, "{found:?}");
    let live = server.edit("Deployment", "tools", "a", |object| {
        object["spec"].as_object_mut().unwrap().remove("replicas");
    });
    assert_eq!(paths(&spec(), &live.unwrap()), [".spec.replicas"]);
}

#[tokio::test]
async fn everything_that_a_server_becomes_is_as_it_was_applied() {
    let server = ApiServer::new();
    let everything = mcp_server_with(
        "tools",
        "weather",
        json!({
            "type": "external-saas", "transport": "http", "port": 9000,
            "affinity": { "podAntiAffinity": "required", "zoneSpread": "required" },
            "resources": { "requests": { "cpu": "100m" }, "limits": { "cpu": 1, "memory": "512Mi" } },
            "config": { "githubOrg": "acme" }, "env": [{ "name": "LOG_LEVEL", "value": "debug" }],
            "imagePullSecrets": [{ "name": "registry" }],
            "secrets": [{ "name": "github-token", "awsSecretKey": "mcp/github/token" }],
            "aws": { "iamRole": "arn:aws:iam::123456789012:role/mcp-github" },
            "autoscaling": { "minReplicas": 2, "maxReplicas": 4 },
            "observability": { "metrics": { "enabled": true, "port": 9090 } },
            "networkPolicy": { "enabled": true, "egress": [{ "cidr": "10.0.0.0/8", "ports": [443] }] },
        }),
    );
    let stored = server.put(&everything);
    let everything: McpServer = serde_json::from_value(stored).unwrap();
    let everything = ValidatedServer::parse(&everything).unwrap();
    let manifests = build::objects(&everything, &build::Settings::default()).unwrap();
    let count = manifests.iter().count();
    for manifest in &manifests {
        let api = of_kind(&server, manifest.kind);
        let params = PatchParams::apply(SERVER).force();
        let live = api
            .patch(manifest.name(), &params, &Patch::Apply(&manifest.object))
            .await
            .unwrap();
        let found = differences(&manifest.object, &value(&live), SERVER);
        assert_eq!(found, [], "{}", manifest.kind.name());
    }
    assert!(count >= 8, "{count}");
    server.delete("MCPServer", "tools", "weather");
    assert_eq!(server.collect_garbage().len(), count);
}
