//! The number of pods is a HorizontalPodAutoscaler's.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{eventually, holds_for};
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// An operator that leaves `replicas` out when an autoscaler comes scales to one pod (mcp-lifecycle-operator#372).
#[test]
fn lifecycle_operator_372_an_autoscaler_takes_the_number_of_pods_over() -> Result<()> {
    let world = World::new("autoscaling");
    let replicas =
        || -> Result<Value> { Ok(world.get("deployment", "mcp-a")?["spec"]["replicas"].clone()) };
    world.apply(&world.server("a", json!({ "replicas": 4 })))?;
    world.deployed("a")?;
    let scaled = json!({ "replicas": 4, "autoscaling": { "minReplicas": 2, "maxReplicas": 6 } });
    world.apply(&world.server("a", scaled))?;
    eventually("there is an autoscaler", SOON, || {
        world.get("horizontalpodautoscaler", "mcp-a")
    })?;
    eventually("the number is not ours", SOON, || {
        let managed = world.kubectl.json(&[
            "get",
            "deployment",
            "mcp-a",
            "--namespace",
            &world.namespace,
            "--show-managed-fields",
        ])?;
        let ours = managed["metadata"]["managedFields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["manager"] == "mcp-operator");
        ensure!(
            ours.is_some_and(|entry| entry["fieldsV1"]["f:spec"]["f:replicas"].is_null()),
            "{ours:?}"
        );
        Ok(())
    })?;
    assert_eq!(replicas()?, 4, "no pod is lost on the way");
    world.kubectl.run(&[
        "scale",
        "deployment/mcp-a",
        "--replicas=5",
        "--namespace",
        &world.namespace,
    ])?;
    holds_for("nobody fights", Duration::from_secs(2), || {
        ensure!(replicas()? == 5);
        Ok(())
    })?;
    world.apply(&world.server("a", json!({ "replicas": 3 })))?;
    eventually("the autoscaler goes", SOON, || {
        world.is_gone("horizontalpodautoscaler", "mcp-a")
    })?;
    eventually("the number is the user's again", SOON, || {
        ensure!(replicas()? == 3);
        Ok(())
    })
}

/// Without metrics an autoscaler does nothing, and looks like one that has nothing to do (linkerd/linkerd2#1480,
/// istio/istio#13977). This cluster has no metrics-server.
#[test]
fn linkerd_1480_an_autoscaler_that_does_not_work_is_told_in_its_own_words() -> Result<()> {
    let world = World::new("autoscaling-blind");
    let spec = json!({ "replicas": 2, "autoscaling": { "minReplicas": 2, "maxReplicas": 5 } });
    world.apply(&world.server("a", spec))?;
    world.deployed("a")?;
    let autoscaler = world.get("horizontalpodautoscaler", "mcp-a")?;
    let metric = &autoscaler["spec"]["metrics"][0];
    assert_eq!(
        metric["containerResource"]["container"], "server",
        "{metric}"
    );
    let told = world.condition("a", "AutoscalingActive", "False", "")?;
    eventually("the words are those of the autoscaler", SOON, || {
        let told = world.condition("a", "AutoscalingActive", "False", "")?;
        let autoscaler = world.get("horizontalpodautoscaler", "mcp-a")?;
        let conditions = autoscaler["status"]["conditions"].as_array();
        let active = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == "ScalingActive");
        let message = active.and_then(|active| active["message"].as_str());
        ensure!(
            told["message"]
                .as_str()
                .zip(message)
                .is_some_and(|(told, message)| told.ends_with(message)),
            "{told} {autoscaler}"
        );
        Ok(())
    })?;
    ensure!(
        told["message"].to_string().contains("stays as it is"),
        "{told}"
    );
    world.condition("a", "Ready", "True", "")?;
    let writes = world.writes_when_asked_again("a")?;
    ensure!(writes.is_empty(), "{writes:?}");
    // It goes with the autoscaler.
    world.apply(&world.server("a", json!({ "replicas": 2 })))?;
    eventually("nothing is said any more", SOON, || {
        let server = world.get("mcpserver", "a")?;
        ensure!(
            !server["status"].to_string().contains("AutoscalingActive"),
            "{server}"
        );
        Ok(())
    })
}

/// One that comes before its Deployment complains and looks again only later; one that comes without would scale what
/// somebody else calls so.
#[test]
fn an_autoscaler_comes_after_its_deployment_and_never_alone() -> Result<()> {
    let world = World::new("autoscaling-order");
    let pod = json!({ "metadata": { "labels": { "app": "a" } }, "spec": { "containers": [{ "name": "a", "image": "docker.io/a:1" }] } });
    let foreign = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "mcp-a", "namespace": world.namespace },
        "spec": { "selector": { "matchLabels": { "app": "a" } }, "template": pod },
    });
    world.apply(&foreign)?;
    world.apply(&world.server(
        "a",
        json!({ "autoscaling": { "minReplicas": 2, "maxReplicas": 3 } }),
    ))?;
    world.condition("a", "Ready", "False", "ForeignObject")?;
    holds_for("nobody scales it", Duration::from_secs(2), || {
        world.is_gone("horizontalpodautoscaler", "mcp-a")
    })?;
    let delete = ["delete", "deployment", "mcp-a", "--namespace"];
    world
        .kubectl
        .run(&[&delete[..], &[&world.namespace]].concat())?;
    world.recheck_at("a")?;
    eventually("the smallest number of pods runs", SOON, || {
        let status = &world.get("mcpserver", "a")?["status"];
        ensure!(status["ready"] == "2/2", "{status}");
        Ok(())
    })?;
    assert_eq!(world.events("FailedGetScale")?, "");
    Ok(())
}
