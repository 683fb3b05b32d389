//! What the rest of a cluster does: pods die, and there is much in it that is no business of the operator.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{MemoryGroup, Operator, eventually};
use serde_json::{Value, json};

use crate::memory::{incompressible, most_resident_kib, resident_kib};
use crate::world::{RECOVERY, World};

/// Ready that was true once stays so though the pods are dead (kubernetes-sigs/mcp-lifecycle-operator#212).
#[test]
fn lifecycle_operator_212_a_server_whose_pods_die_is_not_ready_within_seconds() -> Result<()> {
    let world = World::start("pods-die")?;
    let _operator = Operator::start(&world.own.environment, "pods-die")?;
    world.apply(1)?;
    world.converged(1)?;
    // Their successors find no node.
    world.kubectl().run(&["cordon", "fake-0"])?;
    world.kubectl().run(&[
        "delete",
        "pods",
        "--all",
        "--namespace=servers",
        "--wait=false",
    ])?;
    eventually("it is not ready", Duration::from_secs(30), || {
        let server = world.get("mcpserver", "s-0")?;
        ensure!(world.condition("Ready")?["status"] == "False");
        ensure!(server["status"]["phase"] != "Ready", "{}", server["status"]);
        Ok(())
    })?;
    eventually("it is told why", RECOVERY, || {
        let found = world.condition("DeploymentReady")?;
        ensure!(found["reason"] == "Unschedulable", "{found}");
        Ok(())
    })?;
    world.kubectl().run(&["uncordon", "fake-0"])?;
    eventually("it is ready again", RECOVERY, || {
        ensure!(world.condition("Ready")?["status"] == "True");
        Ok(())
    })
}

const SECRETS: usize = 2000;
const SECRET_BYTES: usize = 8 << 10;
/// Far below what these Secrets hold.
const GROWTH_KIB: u64 = 6 << 10;

/// Memory that grows with every Secret of the cluster ends in a kill without a single MCPServer
/// (kubernetes-sigs/mcp-lifecycle-operator#299).
#[test]
fn lifecycle_operator_299_the_secrets_of_others_are_neither_read_nor_kept() -> Result<()> {
    let mut world = World::start("other-secrets")?;
    let operator = Operator::start(&world.own.environment, "other-secrets")?;
    world.apply(1)?;
    world.converged(1)?;
    world.settled()?;
    let before = resident_kib(operator.id())?;
    for batch in 0..SECRETS / 100 {
        let secrets: Vec<Value> = (0..100).map(|index| other(batch * 100 + index)).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": secrets });
        world
            .kubectl()
            .pipe(&["create", "--filename", "-"], &list.to_string())?;
    }
    std::thread::sleep(Duration::from_secs(5));
    let after = resident_kib(operator.id())?;
    ensure!(
        after < before + GROWTH_KIB,
        "{before} KiB before, {after} KiB after"
    );
    let asked: Vec<_> = world
        .own
        .audit
        .requests()?
        .into_iter()
        .filter(|request| request.resource == "secrets" && request.verb != "watch")
        .collect();
    ensure!(asked.is_empty(), "{asked:?}");

    // Nor by one that finds them there.
    drop(operator);
    let operator = Operator::start(&world.own.environment, "other-secrets-again")?;
    std::thread::sleep(Duration::from_secs(5));
    let again = resident_kib(operator.id())?;
    ensure!(
        again < before + GROWTH_KIB,
        "{before} KiB before, {again} KiB after a restart"
    );
    let of_others = |object: &str| object.contains("/other-");
    let read: Vec<_> = world
        .own
        .audit
        .requests()?
        .into_iter()
        .filter(|request| of_others(&request.object))
        .collect();
    ensure!(read.is_empty(), "{read:?}");
    Ok(())
}

const LABELLED: usize = 200;
const LABELLED_BYTES: usize = 1_000_000;
/// The limit of deploy/base/operator.yaml without what is meant for the child process that compiles.
const MOST_KIB: u64 = 512 << 10;

/// Whoever may create ConfigMaps may give them the operator's label, and the name of an MCPServer as their owner.
#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn large_objects_of_others_with_the_operators_label_are_not_kept() -> Result<()> {
    let world = World::start("labelled")?;
    let operator = Operator::start(&world.own.environment, "labelled")?;
    let group = MemoryGroup::around(operator.id(), MOST_KIB)?;
    world.apply(1)?;
    world.converged(1)?;
    let before = resident_kib(operator.id())?;
    for batch in 0..LABELLED / 10 {
        let labelled: Vec<Value> = (0..10).map(|index| labelled(batch * 10 + index)).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": labelled });
        world
            .kubectl()
            .pipe(&["create", "--filename", "-"], &list.to_string())?;
    }
    world.apply(2)?;
    world.converged(2)?;
    let after = resident_kib(operator.id())?;
    let most = most_resident_kib(operator.id())?;
    println!("{before} KiB before, {after} KiB after, {most} KiB at most");
    ensure!(most < MOST_KIB, "{most} KiB at most");

    // Nor by one that finds them there.
    drop((operator, group));
    let operator = Operator::start(&world.own.environment, "labelled-again")?;
    let group = MemoryGroup::around(operator.id(), MOST_KIB)?;
    world.apply(3)?;
    world.converged(3)?;
    let again = most_resident_kib(operator.id())?;
    println!("{again} KiB at most after a restart");
    ensure!(again < MOST_KIB, "{again} KiB at most after a restart");
    let kept = after.max(resident_kib(operator.id())?);
    ensure!(
        kept < before + 1024 * (LABELLED as u64) / 2,
        "{before} KiB before, {kept} KiB kept"
    );
    // A group goes after its process.
    drop((operator, group));
    Ok(())
}

fn labelled(index: usize) -> Value {
    let text = incompressible(index, LABELLED_BYTES);
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": format!("labelled-{index}"), "namespace": "litellm",
            "labels": { "app.kubernetes.io/managed-by": "mcp-operator", "mcp.litellm.ai/server": "s-0" },
        },
        "data": { "text": text },
    })
}

fn other(index: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": format!("other-{index}"), "namespace": "litellm" },
        "stringData": { "data": "x".repeat(SECRET_BYTES) },
    })
}
