//! Policies of somebody else that refuse what the operator makes.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_e2e::eventually;
use serde_json::json;

use crate::world::{SOON, World, condition};

const WORDS: &str = "every Deployment needs an approval of the platform team";

/// Refuses all Deployments of the namespace, with this reason.
fn deny(world: &World, reason: &str) -> Result<()> {
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": world.namespace },
        "spec": {
            "matchConstraints": {
                "namespaceSelector": { "matchLabels": { "test": world.namespace } },
                "resourceRules": [{ "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"] }],
            },
            "failurePolicy": "Fail",
            "validations": [{ "expression": "false", "message": WORDS, "reason": reason }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": world.namespace },
        "spec": { "policyName": world.namespace, "validationActions": ["Deny"] },
    });
    world.apply(&policy)?;
    world.apply(&binding)?;
    eventually("the policy is in force", SOON, || {
        let probed = probe(world).err().context("it is not")?.to_string();
        ensure!(probed.contains(WORDS), "{probed}");
        Ok(())
    })
}

/// The policy goes, and nobody is told.
fn allow(world: &World) -> Result<()> {
    for kind in [
        "validatingadmissionpolicybinding",
        "validatingadmissionpolicy",
    ] {
        world.kubectl.run(&["delete", kind, &world.namespace])?;
    }
    eventually("the policy is gone", SOON, || probe(world))
}

fn probe(world: &World) -> Result<()> {
    let probe = [
        "create",
        "deployment",
        "probe",
        "--image=docker.io/local/probe:1",
        "--dry-run=server",
        "--namespace",
        &world.namespace,
    ];
    world.kubectl.run(&probe).map(drop)
}

/// A server whose Deployment is refused.
fn refused(world: &World, reason: &str) -> Result<()> {
    deny(world, reason)?;
    world.apply(&world.server("a", json!({})))?;
    let found = world.condition("a", "DeploymentReady", "False", reason)?;
    let message = found["message"].as_str().unwrap_or_default();
    ensure!(message.contains(WORDS), "{message}");
    let phase = &world.get("mcpserver", "a")?["status"]["phase"];
    ensure!(phase == "Failed", "{phase}");
    Ok(())
}

/// The reason of a policy that states none. It is also that of an object which is wrong and stays so: hence minutes.
#[test]
fn what_a_policy_finds_invalid_is_not_insisted_on_and_made_when_its_server_is_touched() -> Result<()>
{
    let world = World::new("policy-invalid");
    refused(&world, "Invalid")?;
    // What is made beside it still wakes the operator.
    let mut audit = world.audited("a")?;
    let object = format!("{}/mcp-a", world.namespace);
    let mut writes = loop {
        // Where other tests change plugins, all servers are judged again: some seconds later, when those are compiled.
        let plugins = world.plugins()?;
        sleep(Duration::from_secs(10));
        audit.requests()?;
        // Long enough for two writes of one that insists with doubling pauses.
        sleep(Duration::from_secs(30));
        if world.plugins()? == plugins {
            break audit.requests()?;
        }
    };
    writes.retain(|request| {
        request.is_write() && request.resource == "deployments" && request.object == object
    });
    ensure!(writes.len() <= 1, "{writes:?}");

    allow(&world)?;
    world.recheck_at("a")?;
    world.deployed("a")?;
    world.condition("a", "Ready", "True", "Ready").map(drop)
}

#[test]
fn what_a_policy_forbids_is_made_when_the_policy_goes() -> Result<()> {
    let world = World::new("policy-forbidden");
    refused(&world, "Forbidden")?;
    allow(&world)?;
    // It is tried again every half minute.
    eventually("it is made", SOON * 3, || {
        let server = world.get("mcpserver", "a")?;
        let ready = condition(&server, "Ready").context("no Ready")?;
        ensure!(ready["status"] == "True", "{ready}");
        Ok(())
    })
}
