//! What servers ask of their pods, as a real API server takes it.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// From one kind of probe and of rollout to another one and back: what the API server has filled in of the one before must not
/// stay beside the other, which it would refuse.
#[test]
fn probes_and_strategies_change_from_one_kind_to_another() -> Result<()> {
    let world = World::new("pod-kinds");
    let probes = |probe: Value| json!({ "observability": { "healthProbes": { "readiness": probe, "liveness": probe } } });
    let null = Value::Null;
    for (spec, handler, strategy) in [
        (json!({}), "tcpSocket", "RollingUpdate"),
        (
            probes(json!({ "path": "/up", "type": null })),
            "httpGet",
            "RollingUpdate",
        ),
        (
            json!({ "strategy": { "type": "Recreate" } }),
            "tcpSocket",
            "Recreate",
        ),
        (
            probes(json!({ "type": "None", "path": null })),
            "",
            "RollingUpdate",
        ),
        (
            json!({ "strategy": { "maxSurge": 0 } }),
            "tcpSocket",
            "RollingUpdate",
        ),
    ] {
        world.apply(&world.server("a", spec.clone()))?;
        eventually(&format!("{spec}"), SOON, || {
            let deployment = world.get("deployment", "mcp-a")?;
            let found = &deployment["spec"]["strategy"];
            ensure!(found["type"] == strategy, "{found}");
            let container = &deployment["spec"]["template"]["spec"]["containers"][0];
            let probe = &container["readinessProbe"];
            let handlers: Vec<_> = ["httpGet", "tcpSocket", "exec", "grpc"]
                .into_iter()
                .filter(|handler| probe[handler] != null)
                .collect();
            ensure!(
                handlers == Vec::from_iter(Some(handler).filter(|it| !it.is_empty())),
                "{probe}"
            );
            Ok(())
        })?;
        world.condition("a", "DeploymentReady", "True", "")?;
    }
    Ok(())
}

/// All of them at once, in the namespace of the strictest level.
#[test]
fn what_is_asked_of_pods_is_what_they_are() -> Result<()> {
    let allowed = [
        ("service-accounts", "reader"),
        ("priority-classes", "tools-low"),
        ("tolerations", "pool"),
    ];
    let world = World::allowed("pod-fields", &allowed);
    let level = "pod-security.kubernetes.io/enforce=restricted";
    world
        .kubectl
        .run(&["label", "namespace", &world.namespace, level])?;
    world.kubectl.run(&[
        "create",
        "serviceaccount",
        "reader",
        "--namespace",
        &world.namespace,
    ])?;
    world
        .kubectl
        .run(&["create", "priorityclass", "tools-low", "--value=-10"])?;
    let spec = json!({
        "sessions": "None", "serviceAccountName": "reader", "automountServiceAccountToken": true,
        "priorityClassName": "tools-low", "nodeSelector": { "kubernetes.io/os": "linux" },
        "tolerations": [{ "key": "pool", "value": "mcp", "effect": "NoSchedule" }],
        "securityContext": { "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000 },
        "emptyDirs": [{ "mountPath": "/home/node", "sizeLimit": "64Mi" }],
        "observability": { "healthProbes": { "startup": { "failureThreshold": 90 } } },
    });
    world.apply(&world.server("a", spec))?;
    world.deployed("a")?;
    let pods = world.get("pods", "--selector=mcp.litellm.ai/server=a")?;
    let pod = &pods["items"][0]["spec"];
    for (place, value) in [
        ("/serviceAccountName", json!("reader")),
        ("/automountServiceAccountToken", json!(true)),
        ("/priority", json!(-10)),
        ("/nodeSelector", json!({ "kubernetes.io/os": "linux" })),
        ("/securityContext/runAsUser", json!(1000)),
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/containers/0/startupProbe/failureThreshold", json!(90)),
        (
            "/containers/0/securityContext/readOnlyRootFilesystem",
            json!(true),
        ),
    ] {
        ensure!(pod.pointer(place) == Some(&value), "{place} of {pod}");
    }
    let mounts = pod["containers"][0]["volumeMounts"].to_string();
    ensure!(
        mounts.contains("/home/node") && mounts.contains("/tmp"),
        "{mounts}"
    );
    let service = world.get("service", "mcp-a")?;
    ensure!(service["spec"]["sessionAffinity"] == "None", "{service}");
    world
        .kubectl
        .run(&["delete", "priorityclass", "tools-low"])
        .map(drop)
}

/// A quota without room for one pod more: no rollout could ever begin.
#[test]
fn a_full_quota_needs_no_room_for_another_pod() -> Result<()> {
    let world = World::new("full-quota");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": { "name": "two", "namespace": world.namespace }, "spec": { "hard": { "pods": "2" } },
    });
    world.apply(&quota)?;
    eventually("the quota is in force", SOON, || {
        let hard = &world.get("resourcequota", "two")?["status"]["hard"]["pods"];
        ensure!(hard == "2", "{hard}");
        Ok(())
    })?;
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    let next = json!({ "image": { "tag": "1.0.1" } });
    world.apply(&world.server("a", next.clone()))?;
    let found = world.condition("a", "DeploymentReady", "False", "FailedCreate")?;
    let message = found["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("set spec.strategy.maxSurge to 0"),
        "{message}"
    );
    let mut without_surge = world.server("a", next);
    without_surge["spec"]["strategy"] = json!({ "maxSurge": 0 });
    world.apply(&without_surge)?;
    world.deployed("a").map(drop)
}

/// In the words of the scheduler, and with the field.
#[test]
fn a_pool_with_a_taint_is_told_with_the_field_that_lets_pods_in() -> Result<()> {
    let world = World::new("tainted-pool");
    let spec = json!({ "nodeSelector": { "pool": "none-has-it" } });
    world.apply(&world.server("a", spec))?;
    let found = world.condition("a", "DeploymentReady", "False", "Unschedulable")?;
    let message = found["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("no node has the labels of spec.nodeSelector"),
        "{message}"
    );
    Ok(())
}
