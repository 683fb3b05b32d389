//! A gateway that refuses, fails and hangs: the operator against a stand-in for LiteLLM.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use mcp_e2e::{Fault, LiteLlm, Operator, eventually};
use serde_json::json;

use crate::world::{NAMESPACE, SOON, World, condition};

/// A control plane where MCPServers are registered with the stand-in, and no operator yet.
pub(crate) fn start(name: &str) -> Result<(World, LiteLlm)> {
    let world = World::start(name)?;
    let litellm = LiteLlm::start()?;
    let key = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key", "namespace": "mcp-operator-system" },
        "stringData": { "token": "first" },
    });
    world.kubectl().apply(&key.to_string())?;
    let registrar = json!({
        "source": { "builtin": "litellm-admin-api" }, "priority": 10,
        "connections": [{
            "name": "litellm", "baseUrl": litellm.url(), "timeoutMilliseconds": 3000,
            "auth": { "secretKeyRef": { "name": "key", "key": "token" } },
        }],
    });
    world.apply_plugin("api", &registrar)?;
    world
        .kubectl()
        .run(&["delete", "mcpplugin", "litellm-configmap"])?;
    Ok((world, litellm))
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("s-{number:02}")).collect()
}

/// Waits until LiteLLM knows exactly these.
fn knows(litellm: &LiteLlm, wanted: &[String]) -> Result<()> {
    let wanted: BTreeSet<&String> = wanted.iter().collect();
    eventually("LiteLLM knows them", SOON, || {
        let known = litellm.known();
        ensure!(known.iter().collect::<BTreeSet<_>>() == wanted, "{known:?}");
        Ok(())
    })
}

/// Waits until a server says this about its registration.
pub(crate) fn says(world: &World, server: &str, status: &str, reason: &str) -> Result<String> {
    eventually(&format!("{server} is {reason}"), SOON, || {
        let found =
            world
                .kubectl()
                .json(&["get", "mcpserver", server, "--namespace", NAMESPACE])?;
        let found = condition(&found, "LiteLLMRegistered");
        ensure!(
            found["status"] == status && found["reason"] == reason,
            "{found}"
        );
        Ok(found["message"].as_str().unwrap_or_default().to_owned())
    })
}

#[test]
fn one_server_that_fails_delays_no_other() -> Result<()> {
    let (world, litellm) = start("gateway-poison")?;
    let _operator = Operator::start(&world.own.environment, "gateway-poison")?;
    world.apply_servers(&["old".to_owned()])?;
    world.registered("old", "Registered")?;
    litellm.fail(
        |asked| match (asked.method.as_str(), asked.server.as_str()) {
            ("DELETE", "old") | ("POST", "a-broken") => Some(Fault::Status(500)),
            ("POST", "a-refused") => Some(Fault::Status(422)),
            ("POST", "a-silent") => Some(Fault::Silence),
            _ => None,
        },
    );
    let remove = ["delete", "mcpserver", "old", "--namespace", NAMESPACE];
    world.kubectl().run(&remove)?;
    eventually("it is being removed", SOON, || {
        let asked = litellm.asked();
        ensure!(asked.iter().any(|asked| asked.is("DELETE", "old")));
        Ok(())
    })?;
    let poisoned = ["a-broken", "a-refused", "a-silent"].map(str::to_owned);
    let good = names(30);
    world.apply_servers(&[&poisoned[..], &good[..]].concat())?;
    for name in &good {
        world.registered(name, "Registered")?;
    }
    for (name, reason) in poisoned
        .iter()
        .zip(["GatewayError", "RequestRefused", "Timeout"])
    {
        says(&world, name, "Unknown", reason)?;
    }
    // One more, while nothing gets better.
    world.apply_servers(&["late".to_owned()])?;
    world.registered("late", "Registered")?;

    litellm.recover();
    let all = [&poisoned[..], &good[..], &["late".to_owned()]].concat();
    knows(&litellm, &all)?;
    for name in &poisoned {
        world.registered(name, "Registered")?;
    }
    Ok(())
}
