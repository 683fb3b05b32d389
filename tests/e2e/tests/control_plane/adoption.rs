//! What somebody made by hand is given to an MCPServer by who may write it, and by nobody else.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_e2e::{eventually, holds_for};
use serde_json::{Value, json};

use crate::team::Team;
use crate::world::SOON;

/// A Deployment and its Service, as somebody writes them by hand.
fn by_hand(namespace: &str) -> [Value; 2] {
    let labels = json!({ "app": "theirs" });
    let metadata = json!({ "name": "mcp-a", "namespace": namespace });
    [
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {
                "replicas": 1, "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "a", "image": "docker.io/local/a:1" }] } },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": { "selector": labels, "ports": [{ "port": 8080 }] },
        }),
    ]
}

/// All marks by which an object is offered.
fn marks() -> Value {
    json!({
        "labels": {
            "app.kubernetes.io/instance": "a", "app.kubernetes.io/managed-by": "mcp-operator",
            "app.kubernetes.io/name": "mcp-a", "mcp.litellm.ai/server": "a",
        },
        "annotations": { "mcp.litellm.ai/adopt": "a" },
    })
}

fn specs(team: &Team) -> Result<Vec<(Value, Value)>> {
    let of = |kind| {
        let found = team.world.get(kind, "mcp-a")?;
        Ok((
            found["spec"].clone(),
            found["metadata"]["ownerReferences"].clone(),
        ))
    };
    ["deployment", "service"].into_iter().map(of).collect()
}

/// Waits until the server says that something is not its own.
fn told(team: &Team) -> Result<()> {
    eventually("it is told whose it is", SOON, || {
        let ready = team.world.condition("a", "Ready", "False", "")?;
        let message = ready["message"].as_str().unwrap_or_default();
        ensure!(
            message.contains("is not managed by this MCPServer"),
            "{ready}"
        );
        Ok(())
    })
}

#[test]
fn who_may_write_mcpservers_alone_takes_nothing_that_somebody_made() -> Result<()> {
    let team = Team::new("adopt-tenant")?;
    for object in by_hand(&team.world.namespace) {
        team.world.apply(&object)?;
    }
    let before = specs(&team)?;
    for kind in ["deployment", "service"] {
        let annotate = ["annotate", kind, "mcp-a", "mcp.litellm.ai/adopt=a"];
        let error = team.run(&annotate, "").err().context("it was allowed")?;
        ensure!(error.to_string().contains("Forbidden"), "{error}");
    }
    // On what the team may write, the marks mean nothing.
    let mut server = team.world.server("a", json!({}));
    server["metadata"]["labels"] = marks()["labels"].clone();
    server["metadata"]["annotations"] = marks()["annotations"].clone();
    team.run(&["apply", "--filename", "-"], &server.to_string())?;
    told(&team)?;
    holds_for("it is left alone", Duration::from_secs(2), || {
        ensure!(specs(&team)? == before);
        Ok(())
    })
}

#[test]
fn what_another_controller_has_is_never_adopted() -> Result<()> {
    let team = Team::new("adopt-controlled")?;
    let owner = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "owner", "namespace": team.world.namespace },
    });
    team.world.apply(&owner)?;
    let uid = &team.world.get("configmap", "owner")?["metadata"]["uid"];
    for mut object in by_hand(&team.world.namespace) {
        object["metadata"]["labels"] = marks()["labels"].clone();
        object["metadata"]["annotations"] = marks()["annotations"].clone();
        object["metadata"]["ownerReferences"] = json!([
            { "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "controller": true },
        ]);
        team.world.apply(&object)?;
    }
    let before = specs(&team)?;
    team.apply(json!({}))?;
    told(&team)?;
    holds_for("it is left alone", Duration::from_secs(2), || {
        ensure!(specs(&team)? == before);
        Ok(())
    })
}
