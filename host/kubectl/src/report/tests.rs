use std::io::Read;

use flate2::read::GzDecoder;
use mcp_testkit::objects::{config_map, mcp_server_with, secret};
use mcp_testkit::workloads::{pod_crash_looping, pod_of};
use serde_json::json;

use super::*;
use crate::test_cluster::{TestCluster, condition};

const SECRET: &str = "hunter22-hunter22";

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// The secret stands wherever somebody may have put it.
fn planted(cluster: &TestCluster) {
    let label = json!({ "mcp.litellm.ai/server": "weather" });
    let spec = json!({
        "env": [{ "name": "TOKEN", "value": SECRET }], "config": { "deep": [{ "password": SECRET }] },
        "args": ["--token", SECRET], "command": ["run", SECRET],
        "observability": { "healthProbes": { "liveness": { "headers": [{ "name": "X-Key", "value": SECRET }] } } },
    });
    let mut server = serde_json::to_value(mcp_server_with("tools", "weather", spec)).unwrap();
    server["metadata"]["annotations"] = json!({
        "kubectl.kubernetes.io/last-applied-configuration": format!("{{\"token\":\"{SECRET}\"}}"), "acme.io/note": SECRET,
    });
    let mut crashing = condition("Ready", "False", "CrashLoopBackOff");
    crashing["message"] = json!(format!(
        "its last words: cannot log in with sk-1 and {SECRET}"
    ));
    let mut refused = condition("SpecValid", "False", "Invalid");
    refused["message"] = json!(format!("the value {SECRET} is no URL"));
    server["status"] = json!({ "observedGeneration": 1, "conditions": [crashing, refused] });
    let server = cluster.api.put(server);
    cluster.api.put(json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "a", "namespace": "tools" },
        "type": "Warning", "reason": "Invalid", "note": format!("the value {SECRET} is no URL"),
        "regarding": { "kind": "MCPServer", "name": "weather", "uid": server["metadata"]["uid"] },
    }));
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "mcp-weather", "namespace": "tools", "labels": label },
        "spec": { "template": { "metadata": { "labels": label }, "spec": { "containers": [{
            "name": "server", "image": "acme/mcp", "env": [{ "name": "TOKEN", "value": SECRET }], "args": [SECRET],
            "livenessProbe": { "httpGet": { "httpHeaders": [{ "name": "X-Key", "value": SECRET }] } },
        }] } } },
    });
    let mut pod = pod_of(&deployment, "mcp-weather-1");
    pod_crash_looping(
        &mut pod,
        1,
        &format!("cannot log in with sk-1 and {SECRET}"),
    );
    cluster.api.put(pod);
    cluster.api.put(deployment);
    let mut map = config_map("tools", "mcp-weather", json!({ "config.yaml": SECRET }));
    map["metadata"]["labels"] = label.clone();
    cluster.api.put(map);
    let mut token = secret("tools", "token", json!({ "token": SECRET }));
    token["metadata"]["labels"] = label;
    cluster.api.put(token);
    cluster.api.put(secret(
        "mcp-operator-system",
        "mcp-operator-webhook",
        json!({ "tls.key": SECRET }),
    ));
    cluster.api.put(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "own" },
        "spec": {
            "source": { "url": format!("https://user:{SECRET}@example.com/a.wasm?token={SECRET}") }, "settings": { "key": SECRET },
        },
        "status": { "observedGeneration": 1, "conditions": [{
            "type": "Ready", "status": "False", "reason": "AccessDenied", "lastTransitionTime": "2026-01-01T00:00:00Z",
            "message": format!("spec.source.url: https://user:{SECRET}@example.com/a.wasm?token={SECRET}: the server wants credentials"),
        }] },
    }));
}

#[tokio::test]
async fn no_secret_is_in_the_archive_wherever_it_stood() {
    let cluster = TestCluster::new();
    planted(&cluster);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.tar.gz");
    let report = write(&cluster.cluster(), &file, true, now()).await.unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(&file).unwrap()));
    let mut all = String::new();
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        names.push(entry.path().unwrap().display().to_string());
        entry.read_to_string(&mut all).unwrap();
    }
    assert_eq!(names.len(), report.holds.len());
    assert!(
        names.contains(&"mcp-report/objects/tools/weather.json".to_owned()),
        "{names:?}"
    );
    for secret in [SECRET, "sk-1"] {
        let place = all
            .find(secret)
            .map(|at| &all[at.saturating_sub(200)..at + 40]);
        assert_eq!(place, None);
    }
    for kept in [
        "TOKEN",
        "X-Key",
        "CrashLoopBackOff",
        "https://...@example.com/a.wasm?...",
        "is no URL",
        "acme.io/note",
        "password",
    ] {
        assert!(all.contains(kept), "{kept}");
    }
    let of_secrets = cluster.api.requests();
    let of_secrets = of_secrets
        .iter()
        .filter(|it| it.kind == "Secret" && !it.metadata_only);
    assert_eq!(of_secrets.count(), 0, "no Secret is read");
}

#[tokio::test]
async fn nothing_is_written_over() {
    let cluster = TestCluster::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.tar.gz");
    std::fs::write(&file, "mine").unwrap();
    let error = write(&cluster.cluster(), &file, false, now())
        .await
        .unwrap_err();
    assert!(
        format!("{error:#}").contains("-f names another file"),
        "{error:#}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}
