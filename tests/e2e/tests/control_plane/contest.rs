//! Somebody insists on what is ours: that is told, and not answered for a while.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{AuditLog, Request, eventually, holds_for};
use serde_json::json;

use crate::world::{SOON, World};

/// How long the operator leaves alone what is contested.
const WINDOW: Duration = Duration::from_mins(1);
/// How often it puts something back before.
const TIMES: usize = 3;

/// What the operator wrote to the Deployment since the last look.
fn writes(world: &World, audit: &mut AuditLog) -> Result<Vec<Request>> {
    let object = format!("{}/mcp-a", world.namespace);
    let mut requests = world.writes(audit)?;
    requests.retain(|request| request.resource == "deployments" && request.object == object);
    Ok(requests)
}

fn is_scaled_to(world: &World, replicas: usize) -> Result<()> {
    let found = &world.get("deployment", "mcp-a")?["spec"]["replicas"];
    ensure!(*found == json!(replicas), "{found}");
    Ok(())
}

/// Beside `spec.replicas` instead of `spec.autoscaling`: neither of the two would ever stop.
#[test]
fn an_autoscaler_of_somebody_is_named_and_given_way() -> Result<()> {
    let world = World::new("contested-by-autoscaler");
    world.apply(&world.server("a", json!({ "replicas": 2 })))?;
    world.deployed("a")?;
    let mut audit = world.audited("a")?;
    world.kubectl.run(&[
        "autoscale",
        "deployment/mcp-a",
        "--name=theirs",
        "--min=3",
        "--max=5",
        "--namespace",
        &world.namespace,
    ])?;
    let told = eventually("it is told", WINDOW + SOON, || {
        let events = world.events("Contested")?;
        ensure!(!events.is_empty(), "no event");
        Ok(events)
    })?;
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
