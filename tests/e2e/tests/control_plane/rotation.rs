//! Secrets change, and pods are replaced for that and for nothing else.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_e2e::{eventually, holds_for};
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// A Secret as somebody makes it by hand, with the label that makes it rotate.
fn secret(world: &World, name: &str, value: &str) -> Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": world.namespace, "labels": { "mcp.litellm.ai/server": "a" } },
        "stringData": { "token": value },
    });
    world.apply(&secret).map(drop)
}

fn delete(world: &World, name: &str) -> Result<()> {
    let delete = ["delete", "secret", name, "--namespace", &world.namespace];
    world.kubectl.run(&delete).map(drop)
}

/// What the Deployment says about its Secrets: a hash of each.
fn seen(world: &World) -> Result<Value> {
    let deployment = world.get("deployment", "mcp-a")?;
    let note = &deployment["metadata"]["annotations"]["mcp.litellm.ai/secrets-seen"];
    Ok(serde_json::from_str(note.as_str().context("no note")?)?)
}

/// Counts pod templates. Not the generation: a Deployment's grows with its annotations too.
fn revision(world: &World) -> Result<u64> {
    let deployment = world.get("deployment", "mcp-a")?;
    let revision = &deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
    Ok(revision.as_str().context("no revision")?.parse()?)
}

fn stays(world: &World, revision: u64) -> Result<()> {
    holds_for("the pods stay", Duration::from_secs(2), || {
        let found = self::revision(world)?;
        ensure!(found == revision, "{found}");
        Ok(())
    })
}

fn replaced(world: &World, revision: u64) -> Result<()> {
    eventually("the pods are replaced", SOON, || {
        let found = self::revision(world)?;
        ensure!(found == revision, "{found}");
        Ok(())
    })?;
    stays(world, revision)
}

/// Rotated credentials that pods never see are stale ones (stacklok/toolhive#3179).
#[test]
fn toolhive_3179_a_rotated_secret_replaces_the_pods_once_and_nothing_else_does() -> Result<()> {
    let world = World::new("rotation");
    let variable = |name: &str, optional: bool| json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": format!("made-{}", name.to_lowercase()), "key": "token", "optional": optional } } });
    let env = json!([variable("TOKEN", false), variable("EXTRA", true)]);
    world.apply(&world.server("a", json!({ "env": env })))?;
    world.deployed("a")?;

    // Pods that wait for it need no replacement to get it.
    secret(&world, "made-token", "first")?;
    eventually("it is seen", SOON, || {
        ensure!(seen(&world)?["made-token"].is_string());
        Ok(())
    })?;
    stays(&world, 1)?;
    secret(&world, "made-token", "second")?;
    replaced(&world, 2)?;

    // One that no container reads, one that is gone, and one that is back as it was.
    secret(&world, "of-somebody-else", "x")?;
    stays(&world, 2)?;
    delete(&world, "made-token")?;
    stays(&world, 2)?;
    secret(&world, "made-token", "second")?;
    stays(&world, 2)?;

    // Pods that run without it do not know that it came.
    secret(&world, "made-extra", "first")?;
    replaced(&world, 3)?;
    delete(&world, "made-token")?;
    secret(&world, "made-token", "third")?;
    replaced(&world, 4)
}

#[test]
fn a_changed_configuration_replaces_the_pods_once() -> Result<()> {
    let world = World::new("configuration");
    let server = |greeting| world.server("a", json!({ "config": { "greeting": greeting } }));
    world.apply(&server("hello"))?;
    world.deployed("a")?;
    world.apply(&server("good morning"))?;
    replaced(&world, 2)?;
    world.apply(&server("good morning"))?;
    stays(&world, 2)
}
