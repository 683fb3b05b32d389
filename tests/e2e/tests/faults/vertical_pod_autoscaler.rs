//! A real VerticalPodAutoscaler: whom it may be told to scale, and that nobody writes against it.

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, VerticalPodAutoscaler};
use mcp_e2e::{Operator, OwnCluster, Request, eventually};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

const NAME: &str = "s-0";

/// Has an autoscaler name this object, with a recommendation for its pods.
fn recommend(world: &World, target: &Value) -> Result<()> {
    let autoscaler = json!({
        "apiVersion": "autoscaling.k8s.io/v1", "kind": "VerticalPodAutoscaler",
        "metadata": { "name": NAME, "namespace": OwnCluster::NAMESPACE },
        "spec": { "targetRef": target, "updatePolicy": { "updateMode": "Initial" } },
    });
    world.kubectl().apply(&autoscaler.to_string())?;
    let container =
        json!({ "containerName": "server", "target": { "cpu": "123m", "memory": "99Mi" } });
    let status =
        json!({ "status": { "recommendation": { "containerRecommendations": [container] } } });
    let patch = [
        "patch",
        "verticalpodautoscaler",
        NAME,
        "--namespace",
        OwnCluster::NAMESPACE,
    ];
    let how = [
        "--subresource=status",
        "--type=merge",
        "--patch",
        &status.to_string(),
    ];
    world.kubectl().run(&[&patch[..], &how].concat()).map(drop)
}

/// Deletes the pods, and gives the requests of those that come in their place once all of them are ready.
fn requests_of_new_pods(world: &World) -> Result<Vec<Value>> {
    let namespace = ["--namespace", OwnCluster::NAMESPACE];
    let delete = ["delete", "pods", "--all", "--wait=true"];
    world.kubectl().run(&[&delete[..], &namespace].concat())?;
    let rollout = ["rollout", "status", "deployment/mcp-s-0", "--timeout=60s"];
    world.kubectl().run(&[&rollout[..], &namespace].concat())?;
    let pods = world
        .kubectl()
        .json(&[&["get", "pods"][..], &namespace].concat())?;
    let pods = pods["items"].as_array().context("no list of pods")?.clone();
    let requests = |pod: &Value| pod["spec"]["containers"][0]["resources"]["requests"].clone();
    Ok(pods.iter().map(requests).collect())
}

#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn pods_get_what_is_recommended_for_the_server_and_nothing_is_written_against_it() -> Result<()> {
    let mut world = World::start("vertical-pod-autoscaler")?;
    let folder = world.own.environment.logs.join("vertical-pod-autoscaler");
    let _autoscaler = VerticalPodAutoscaler::start(&Cache::open()?, world.kubectl(), &folder)?;
    let _operator = Operator::start(&world.own.environment, "vertical-pod-autoscaler")?;
    world.apply(1)?;
    world.converged(1)?;
    eventually("the autoscaler is asked about pods", RECOVERY, || {
        let configuration = [
            "get",
            "mutatingwebhookconfiguration",
            VerticalPodAutoscaler::WEBHOOK,
        ];
        world.kubectl().run(&configuration)
    })?;
    let template = |world: &World| -> Result<Value> {
        Ok(world.get("deployment", "mcp-s-0")?["spec"]["template"].take())
    };
    let before = template(&world)?;
    // The template says limits only, and requests follow from them.
    let own = before["spec"]["containers"][0]["resources"]["limits"].clone();
    world.settled()?;

    // Of what belongs to something that can be scaled, the autoscaler does not take the part below it.
    recommend(
        &world,
        &json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "mcp-s-0" }),
    )?;
    let requests = requests_of_new_pods(&world)?;
    ensure!(requests.iter().all(|found| *found == own), "{requests:?}");

    let server =
        json!({ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "name": NAME });
    recommend(&world, &server)?;
    let recommended = json!({ "cpu": "123m", "memory": "99Mi" });
    eventually("the pods get what is recommended", RECOVERY, || {
        let requests = requests_of_new_pods(&world)?;
        ensure!(
            requests.iter().all(|found| *found == recommended),
            "{requests:?}"
        );
        Ok(())
    })?;
    world.converged(1)?;
    ensure!(template(&world)? == before, "the template was changed");
    let writes: Vec<Request> = world
        .settled()?
        .into_iter()
        .filter(Request::is_write)
        .collect();
    let others: Vec<&Request> = writes
        .iter()
        .filter(|write| !is_about_status(write))
        .collect();
    ensure!(others.is_empty(), "{others:?}");
    Ok(())
}

/// Pods went and came: that is told.
fn is_about_status(write: &Request) -> bool {
    write.resource.ends_with("/status") || write.resource.starts_with("events")
}
