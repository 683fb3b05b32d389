//! Somebody insists on what is ours: that is told, not answered for a while, and put right in the end.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{AuditLog, Request, eventually, holds_for};
use serde_json::json;

use crate::world::{SOON, World};

/// How long the operator leaves alone what is contested.
const WINDOW: Duration = Duration::from_mins(1);
/// How often it puts something back before.
const TIMES: usize = 3;

/// A server with two pods, and the operator's writes from now on.
fn start(namespace: &str) -> Result<(World, AuditLog)> {
    let world = World::new(namespace);
    world.apply(&world.server("a", json!({ "replicas": 2 })))?;
    world.deployed("a")?;
    let audit = world.audited("a")?;
    Ok((world, audit))
}

/// What the operator wrote to the Deployment since the last look.
fn writes(world: &World, audit: &mut AuditLog) -> Result<Vec<Request>> {
    let object = format!("{}/mcp-a", world.namespace);
    let mut requests = world.writes(audit)?;
    requests.retain(|request| request.resource == "deployments" && request.object == object);
    Ok(requests)
}

fn scale(world: &World, replicas: usize) -> Result<()> {
    let patch = json!({ "spec": { "replicas": replicas } }).to_string();
    let namespace = &world.namespace;
    world
        .kubectl
        .run(&[
            "patch",
            "deployment",
            "mcp-a",
            "--namespace",
            namespace,
            "--field-manager=fighter",
            "--type=merge",
            "--patch",
            &patch,
        ])
        .map(drop)
}

fn is_scaled_to(world: &World, replicas: usize) -> Result<()> {
    let found = &world.get("deployment", "mcp-a")?["spec"]["replicas"];
    ensure!(*found == json!(replicas), "{found}");
    Ok(())
}

fn told(world: &World) -> Result<String> {
    let events = world.events("Contested")?;
    ensure!(!events.is_empty(), "no event");
    Ok(events)
}

#[test]
fn who_insists_is_named_and_given_way_until_nobody_insists() -> Result<()> {
    let (world, mut audit) = start("contested")?;
    let told = eventually("it is told", SOON, || {
        scale(&world, 5)?;
        told(&world)
    })?;
    let expected = "Deployment mcp-a is changed again and again by fighter, in .spec.replicas;";
    ensure!(told.contains(expected), "{told}");
    let answers = writes(&world, &mut audit)?;
    ensure!(answers.len() == TIMES, "{answers:?}");

    // It goes on, and is not answered.
    for round in 0..10 {
        scale(&world, 4 + round % 2)?;
        sleep(Duration::from_millis(500));
    }
    let answers = writes(&world, &mut audit)?;
    ensure!(answers.is_empty(), "{answers:?}");

    eventually("it is put back", WINDOW + SOON, || is_scaled_to(&world, 2))?;
    world.condition("a", "Ready", "True", "Ready")?;
    let answers = writes(&world, &mut audit)?;
    ensure!(answers.len() == 1, "{answers:?}");
    Ok(())
}

/// Beside `spec.replicas` instead of `spec.autoscaling`: neither of the two would ever stop.
#[test]
fn an_autoscaler_of_somebody_is_named_and_given_way() -> Result<()> {
    let (world, mut audit) = start("contested-by-autoscaler")?;
    world.kubectl.run(&[
        "autoscale",
        "deployment/mcp-a",
        "--name=theirs",
        "--min=3",
        "--max=5",
        "--namespace",
        &world.namespace,
    ])?;
    let told = eventually("it is told", WINDOW + SOON, || told(&world))?;
    ensure!(
        told.contains("by kube-controller-manager, in .spec.replicas;"),
        "{told}"
    );
    holds_for("it is left so", Duration::from_secs(10), || {
        is_scaled_to(&world, 3)
    })?;
    let answers = writes(&world, &mut audit)?;
    ensure!(answers.len() == TIMES, "{answers:?}");
    Ok(())
}
