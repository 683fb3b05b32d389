use mcp_operator_core::build::objects as built;
use mcp_testkit::Match;
use mcp_testkit::objects::{mcp_server, secret};
use mcp_testkit::workloads::{deployment_rolled_out, pod_of, pod_without_image};
use serde_json::json;

use super::*;
use crate::test_cluster::{PLAIN, TestCluster, condition};

/// The server with all its objects, one pod that serves and one that does not.
fn weather(cluster: &TestCluster) -> Value {
    let mut server = serde_json::to_value(mcp_server("tools", "weather")).unwrap();
    server["status"] = json!({
        "phase": "Creating", "observedGeneration": 1,
        "conditions": [condition("DeploymentReady", "False", "ImagePullBackOff")],
    });
    let server = cluster.api.put(server);
    let typed: McpServer = serde_json::from_value(server.clone()).unwrap();
    let validated = ValidatedServer::parse(&typed).unwrap();
    let objects = built(&validated, &build::Settings::default()).unwrap();
    for manifest in objects.iter().filter(|it| !it.kind.is_optional()) {
        cluster.api.put(&manifest.object);
    }
    let deployment = cluster
        .api
        .edit("Deployment", "tools", "mcp-weather", deployment_rolled_out)
        .unwrap();
    let owner = |object: &Value| {
        json!([{
            "apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"],
            "uid": object["metadata"]["uid"], "controller": true,
        }])
    };
    let replica_set = cluster.api.put(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": "mcp-weather-1", "namespace": "tools", "labels": deployment["metadata"]["labels"],
            "ownerReferences": owner(&deployment),
        },
        "spec": { "replicas": 2 }, "status": { "replicas": 2, "readyReplicas": 1 },
    }));
    for name in ["mcp-weather-1-a", "mcp-weather-1-b"] {
        let mut pod = pod_of(&deployment, name);
        pod["metadata"]["ownerReferences"] = owner(&replica_set);
        if name.ends_with('b') {
            pod_without_image(&mut pod, "not found");
        }
        cluster.api.put(pod);
    }
    server
}

#[tokio::test]
async fn objects_stand_below_their_owners_with_their_state() {
    let cluster = TestCluster::new();
    weather(&cluster);
    cluster
        .api
        .delete("PodDisruptionBudget", "tools", "mcp-weather");
    // Somebody else's, with our label.
    cluster.api.put(json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "name": "other", "namespace": "tools", "labels": { labels::SERVER: "weather" } },
    }));
    let shown = tree(&cluster.cluster(), "weather")
        .await
        .unwrap()
        .text(&PLAIN);
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn what_may_not_be_read_is_said_and_not_taken_for_missing() {
    let cluster = TestCluster::new();
    let mut server = weather(&cluster);
    server["metadata"]["managedFields"].take();
    for kind in ["Pod", "Service", "Secret"] {
        let message = format!("{}s is forbidden", kind.to_lowercase());
        cluster.api.deny(Match::any().kind(kind), &message);
    }
    let shown = tree(&cluster.cluster(), "weather").await.unwrap();
    let shown = shown.text(&PLAIN);
    assert!(
        !shown.contains("missing") && !shown.contains("Pod mcp"),
        "{shown}"
    );
    assert_eq!(shown.matches("Not read: ").count(), 3, "{shown}");
}

/// Their values are not even asked for.
#[tokio::test]
async fn of_secrets_only_the_names_are_read() {
    let cluster = TestCluster::new();
    weather(&cluster);
    let mut token = secret("tools", "weather-token", json!({ "token": "aHVudGVyMjI=" }));
    token["metadata"]["labels"] = json!({ labels::SERVER: "weather" });
    cluster.api.put(token);
    let mut unread = Vec::new();
    let found = objects(&cluster.cluster(), "weather", &mut unread)
        .await
        .unwrap();
    let secret = found
        .iter()
        .find(|object| object["kind"] == "Secret")
        .unwrap();
    assert!(secret["data"].is_null(), "{secret}");
}
