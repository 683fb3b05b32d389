//! What an MCPServer becomes, and how it stays so.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{eventually, holds_for};
use serde_json::json;

use crate::world::{SOON, World, condition};

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
        let owner = &world.get(kind, "mcp-a")?["metadata"]["ownerReferences"][0];
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

#[test]
fn what_is_switched_off_is_gone() -> Result<()> {
    let world = World::new("switched-off");
    world.apply(&world.server("a", json!({ "config": { "a": 1 } })))?;
    world.deployed("a")?;
    world.apply(&world.server("a", json!({ "podDisruptionBudget": { "enabled": false } })))?;
    for kind in ["configmap", "poddisruptionbudget"] {
        eventually("the object goes", SOON, || world.is_gone(kind, "mcp-a"))?;
    }
    world.get("service", "mcp-a").map(drop)
}

/// The watch of MCPServers may be late: what is made again for one that is gone would be deleted with it, and made again.
#[test]
fn nothing_is_made_again_before_it_is_known_that_its_server_is_there() -> Result<()> {
    let world = World::new("still-there");
    world.apply(&world.server("a", json!({})))?;
    world.condition("a", "Ready", "True", "Ready")?;
    let mut audit = world.audited("a")?;
    let namespace = ["--namespace", &world.namespace];
    let delete = ["delete", "service", "mcp-a"];
    world.kubectl.run(&[&delete[..], &namespace].concat())?;
    eventually("it is back", SOON, || world.get("service", "mcp-a"))?;
    let mut requests = Vec::new();
    // A request is noted after it was answered.
    eventually("it was asked for before", SOON, || {
        requests.extend(audit.requests()?);
        let at = |verb: &str, resource: &str, name: &str| {
            let object = format!("{}/{name}", world.namespace);
            requests.iter().position(|request| {
                request.verb == verb && request.resource == resource && request.object == object
            })
        };
        let asked = at("get", "mcpservers", "a");
        let made = at("patch", "services", "mcp-a");
        ensure!(asked.is_some() && asked < made, "{requests:?}");
        Ok(())
    })
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
        let before = world.get(kind, "mcp-a")?["metadata"]["uid"].clone();
        world.kubectl.run(&[
            "delete",
            kind,
            "mcp-a",
            "--namespace",
            &world.namespace,
            "--wait=false",
        ])?;
        eventually(&format!("the {kind} is back"), SOON, || {
            ensure!(world.get(kind, "mcp-a")?["metadata"]["uid"] != before);
            Ok(())
        })?;
    }
    world.condition("a", "Ready", "True", "Ready").map(drop)
}

#[test]
fn a_foreign_object_is_never_taken_over() -> Result<()> {
    let world = World::new("foreign");
    let foreign = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "mcp-a", "namespace": world.namespace }, "spec": { "ports": [{ "port": 1 }] },
    });
    world.apply(&foreign)?;
    world.apply(&world.server("a", json!({})))?;
    let found = world.condition("a", "Ready", "False", "ForeignObject")?;
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("rename the MCPServer, or delete the Service"),
        "{found}"
    );
    assert_eq!(
        world.get("service", "mcp-a")?["spec"]["ports"][0]["port"],
        1
    );
    world.apply(&world.server("b", json!({})))?;
    world.deployed("b")?;
    world
        .kubectl
        .run(&["delete", "mcpserver", "a", "--namespace", &world.namespace])?;
    world.get("service", "mcp-a").map(drop)
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

#[test]
fn status_is_written_only_when_it_says_something_new() -> Result<()> {
    let world = World::new("status");
    world.apply(&world.server("a", json!({})))?;
    world.condition("a", "Ready", "True", "Ready")?;
    world.audited("a")?;
    let before = world.get("mcpserver", "a")?;
    holds_for("the status rests", Duration::from_secs(2), || {
        ensure!(
            world.get("mcpserver", "a")?["metadata"]["resourceVersion"]
                == before["metadata"]["resourceVersion"]
        );
        Ok(())
    })?;
    assert_eq!(
        condition(&before, "SpecValid").unwrap()["observedGeneration"],
        1
    );
    Ok(())
}

#[test]
fn a_network_policy_comes_and_goes() -> Result<()> {
    let world = World::new("network-policy");
    let policy = json!({ "networkPolicy": { "enabled": true, "egress": [{ "cidr": "10.0.0.0/8", "ports": [443] }] } });
    world.apply(&world.server("a", policy))?;
    let made = eventually("there is a policy", SOON, || {
        world.get("networkpolicy", "mcp-a")
    })?;
    let from = &made["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"];
    assert_eq!(from["kubernetes.io/metadata.name"], "litellm");
    world.deployed("a")?;
    let again = world.writes_when_asked_again("a")?;
    ensure!(again.is_empty(), "{again:?}");
    world.apply(&world.server("a", json!({})))?;
    eventually("the policy goes", SOON, || {
        world.is_gone("networkpolicy", "mcp-a")
    })
}

/// What keeps a pod from serving is told in the words of the API.
#[test]
fn a_pod_that_fits_nowhere_is_told() -> Result<()> {
    let world = World::new("unschedulable");
    let resources =
        json!({ "requests": { "cpu": "100000" }, "limits": { "cpu": "100000", "memory": "64Mi" } });
    world.apply(&world.server("a", json!({ "resources": resources })))?;
    let condition = world.condition("a", "DeploymentReady", "False", "Unschedulable")?;
    let message = condition["message"].as_str().unwrap_or_default();
    ensure!(message.contains("Insufficient cpu"), "{message}");
    ensure!(world.get("mcpserver", "a")?["status"]["phase"] == "Failed");
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a").map(drop)
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
