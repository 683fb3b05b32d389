//! What is told of a server that does not come up, and how often.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// A namespace of the strictest level, and a pod of which somebody has made more than that allows.
#[test]
fn a_pod_that_pod_security_refuses_is_told_in_the_words_of_the_api() -> Result<()> {
    let world = World::new("refused-pod");
    world.kubectl.run(&[
        "label",
        "namespace",
        &world.namespace,
        "pod-security.kubernetes.io/enforce=restricted",
    ])?;
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    let sidecar = json!({ "spec": { "template": { "spec": { "containers": [
        { "name": "sidecar", "image": "docker.io/mesh:1", "securityContext": { "allowPrivilegeEscalation": true } },
    ] } } } });
    world.patch("deployment", "mcp-a", &sidecar)?;
    let found = world.condition("a", "DeploymentReady", "False", "FailedCreate")?;
    let message = found["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("violates PodSecurity") && message.contains("sidecar"),
        "{message}"
    );
    Ok(())
}

/// Reasons of the operator's events about `a`, in the order of time.
fn told(world: &World) -> Result<Vec<String>> {
    let list = world.kubectl.json(&[
        "get",
        "events.events.k8s.io",
        "--namespace",
        &world.namespace,
    ])?;
    let mut events: Vec<(String, String)> = list["items"]
        .as_array()
        .context("no list")?
        .iter()
        .filter(|event| event["regarding"]["kind"] == "MCPServer")
        .map(|event| {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            (text("eventTime"), text("reason"))
        })
        .collect();
    events.sort();
    Ok(events.into_iter().map(|(_, reason)| reason).collect())
}

#[test]
fn events_tell_transitions_and_each_once() -> Result<()> {
    let world = World::new("events");
    let hungry =
        json!({ "requests": { "cpu": "100000" }, "limits": { "cpu": "100000", "memory": "64Mi" } });
    world.apply(&world.server("a", json!({ "resources": hungry })))?;
    world.condition("a", "Ready", "False", "Unschedulable")?;
    eventually("it is told", SOON, || {
        ensure!(
            told(&world)?
                .last()
                .is_some_and(|last| last == "Unschedulable")
        );
        Ok(())
    })?;
    let mut audit = world.audited("a")?;
    for _ in 0..4 {
        world.recheck_at("a")?;
        std::thread::sleep(Duration::from_millis(700));
    }
    let again = world.writes(&mut audit)?;
    ensure!(again.is_empty(), "{again:?}");

    world.apply(&world.server("a", json!({})))?;
    world.condition("a", "Ready", "True", "Ready")?;
    eventually("it is told", SOON, || {
        ensure!(told(&world)?.last().is_some_and(|last| last == "Ready"));
        Ok(())
    })?;
    let told = told(&world)?;
    let repeated = told.windows(2).find(|pair| pair[0] == pair[1]);
    ensure!(repeated.is_none(), "{told:?}");
    for once in ["Unschedulable", "Ready"] {
        let times = told.iter().filter(|reason| *reason == once).count();
        ensure!(times == 1, "{once}: {told:?}");
    }
    Ok(())
}

/// A Deployment or a ServiceAccount of somebody else is left alone, and no pod runs under it.
#[test]
fn a_foreign_deployment_and_a_foreign_account_are_never_taken_over() -> Result<()> {
    let world = World::new("foreign-kinds");
    let metadata = |name: &str| json!({ "name": name, "namespace": world.namespace });
    let pod = json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [{ "name": "x", "image": "docker.io/x:1" }] } });
    world.apply(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("mcp-a"),
        "spec": { "selector": { "matchLabels": { "app": "x" } }, "template": pod },
    }))?;
    world.apply(
        &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("mcp-b") }),
    )?;
    let left_alone = |kind: &str, name: &str| -> Result<()> {
        let found: Value = world.get(kind, name)?["metadata"].clone();
        ensure!(
            found["ownerReferences"].is_null() && found["labels"].is_null(),
            "{found}"
        );
        Ok(())
    };
    for (server, kind) in [("a", "Deployment"), ("b", "ServiceAccount")] {
        world.apply(&world.server(server, json!({})))?;
        let found = world.condition(server, "Ready", "False", "ForeignObject")?;
        let message = found["message"].as_str().unwrap_or_default();
        ensure!(message.contains(&format!("delete the {kind}")), "{message}");
        left_alone(kind, &format!("mcp-{server}"))?;
    }
    world.is_gone("deployment", "mcp-b")
}
