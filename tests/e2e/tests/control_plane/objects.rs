//! What an MCPServer becomes, and how it stays so.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::json;

use crate::world::{SOON, World};

const KINDS: [&str; 5] = [
    "serviceaccount",
    "configmap",
    "service",
    "poddisruptionbudget",
    "deployment",
];

#[test]
fn one_manifest_becomes_everything_and_again_changes_nothing() -> Result<()> {
    let world = World::new("everything");
    world.apply(&world.server("a", json!({ "config": { "logLevel": "info" } })))?;
    world.deployed("a")?;
    let server = world.get("mcpserver", "a")?;
    for kind in KINDS {
        let name = world.object_name(kind, "a")?;
        let owner = &world.get(kind, &name)?["metadata"]["ownerReferences"][0];
        assert_eq!(
            (&owner["uid"], &owner["controller"]),
            (&server["metadata"]["uid"], &json!(true)),
            "{kind}"
        );
    }
    world.condition("a", "Ready", "True", "Ready")?;
    assert_eq!(
        world.get("deployment", "mcp-a")?["metadata"]["generation"],
        1,
        "no needless rollout"
    );
    let again = world.writes_when_asked_again("a")?;
    ensure!(again.is_empty(), "{again:?}");
    Ok(())
}

/// What is deleted once is gone for ever with kmcp, which looks only at what changes in its own resource.
#[test]
fn kmcp_a_deleted_object_of_any_kind_comes_back() -> Result<()> {
    let world = World::new("healed");
    let spec = json!({
        "config": { "a": 1 }, "networkPolicy": { "enabled": true }, "autoscaling": { "minReplicas": 2, "maxReplicas": 3 },
    });
    world.apply(&world.server("a", spec))?;
    world.deployed("a")?;
    for kind in KINDS
        .into_iter()
        .chain(["networkpolicy", "horizontalpodautoscaler"])
    {
        let name = world.object_name(kind, "a")?;
        let before = world.get(kind, &name)?["metadata"]["uid"].clone();
        world.kubectl.run(&[
            "delete",
            kind,
            &name,
            "--namespace",
            &world.namespace,
            "--wait=false",
        ])?;
        eventually(&format!("the {kind} is back"), SOON, || {
            ensure!(world.get(kind, &name)?["metadata"]["uid"] != before);
            Ok(())
        })?;
    }
    world.condition("a", "Ready", "True", "Ready").map(drop)
}

#[test]
fn a_change_rolls_once_and_the_columns_follow() -> Result<()> {
    let world = World::new("change");
    world.apply(&world.server("a", json!({ "replicas": 1 })))?;
    world.deployed("a")?;
    world.apply(&world.server("a", json!({ "replicas": 3, "image": { "tag": "1.0.1" } })))?;
    eventually("three pods", SOON, || {
        let server = world.get("mcpserver", "a")?;
        let is_current = server["status"]["observedGeneration"] == server["metadata"]["generation"];
        ensure!(
            is_current
                && server["status"]["ready"] == "3/3"
                && server["status"]["phase"] == "Ready",
            "{}",
            server["status"]
        );
        Ok(())
    })?;
    assert_eq!(
        world.get("deployment", "mcp-a")?["metadata"]["generation"],
        2
    );
    // The `scale` subresource, as tools and people use it.
    world.kubectl.run(&[
        "scale",
        "mcpserver/a",
        "--replicas=2",
        "--namespace",
        &world.namespace,
    ])?;
    eventually("two pods", SOON, || {
        ensure!(world.get("mcpserver", "a")?["status"]["ready"] == "2/2");
        Ok(())
    })?;
    let table = world
        .kubectl
        .run(&["get", "llmcp", "--namespace", &world.namespace])?;
    assert!(
        table.starts_with("NAME   PHASE   READY   TRANSPORT   REGISTERED   ENDPOINT"),
        "{table}"
    );
    Ok(())
}

#[test]
fn a_quota_that_is_full_is_told_in_the_words_of_the_api() -> Result<()> {
    let world = World::new("quota");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": { "name": "none", "namespace": world.namespace }, "spec": { "hard": { "pods": "0" } },
    });
    world.apply(&quota)?;
    eventually("the quota is in force", SOON, || {
        let hard = &world.get("resourcequota", "none")?["status"]["hard"]["pods"];
        ensure!(hard == "0", "{hard}");
        Ok(())
    })?;
    world.apply(&world.server("a", json!({})))?;
    let found = world.condition("a", "DeploymentReady", "False", "FailedCreate")?;
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("exceeded quota"),
        "{found}"
    );
    assert_eq!(world.get("mcpserver", "a")?["status"]["phase"], "Failed");
    Ok(())
}

/// One pod of which one must stay: the budget would let no node be drained.
#[test]
fn a_budget_that_blocks_every_drain_is_withheld_and_says_so() -> Result<()> {
    let world = World::new("single");
    world.apply(&world.server("a", json!({ "replicas": 1 })))?;
    world.condition(
        "a",
        "PodDisruptionBudgetCreated",
        "False",
        "WouldBlockDrains",
    )?;
    world.is_gone("poddisruptionbudget", "mcp-a")?;
    world.condition("a", "Ready", "True", "Ready").map(drop)
}
