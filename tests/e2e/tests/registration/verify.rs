//! Whether LiteLLM itself is asked, which may change at any time.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{LiteLlm, Operator, eventually, holds_for};
use serde_json::json;

use crate::gateway::says;
use crate::world::{ATTENTIVE, NAMESPACE, SOON, World, condition};

/// Waits until a server is registered, with this for a message.
fn is_registered(world: &World, server: &str) -> Result<()> {
    world.registered(server, "Registered")?;
    let get = ["get", "mcpserver", server, "--namespace", NAMESPACE];
    let found = condition(&world.kubectl().json(&get)?, "LiteLLMRegistered");
    let expected = format!("Registered with LiteLLM as {NAMESPACE}_{server}");
    ensure!(found["message"] == expected, "{found}");
    Ok(())
}

#[test]
fn what_litellm_said_is_no_longer_claimed_when_it_is_no_longer_asked() -> Result<()> {
    let world = World::start("verify")?;
    let litellm = LiteLlm::start()?;
    let kubeconfig = world.kubectl().kubeconfig().to_owned();
    let _operator =
        Operator::start_with(&world.own.environment, "verify", &kubeconfig, &ATTENTIVE)?;
    world.apply_servers(&["a".to_owned(), "b".to_owned()])?;
    for server in ["a", "b"] {
        is_registered(&world, server)?;
    }
    let (file, rollouts) = (world.file()?, world.rollouts()?);

    // It has read about one of them, and a while later about none.
    litellm.list_from_file("a");
    let connection = json!({ "name": "litellm", "baseUrl": litellm.url() });
    let settings = json!({ "verify": { "connection": "litellm" } });
    world.change_plugin(
        "litellm-configmap",
        &json!({ "settings": settings, "connections": [connection] }),
    )?;
    says(&world, "b", "Unknown", "NotListed")?;
    is_registered(&world, "a")?;
    litellm.lose_everything();
    says(&world, "a", "Unknown", "NotListed")?;

    // What nobody asks for is not known: the file and the rollout are, as before.
    world.change_plugin(
        "litellm-configmap",
        &json!({ "settings": { "verify": null }, "connections": null }),
    )?;
    for server in ["a", "b"] {
        is_registered(&world, server)?;
    }
    let asked = litellm.asked().len();
    holds_for("nobody is asked", Duration::from_secs(3), || {
        ensure!(litellm.asked().len() == asked);
        Ok(())
    })?;
    ensure!(world.file()? == file && world.rollouts()? == rollouts);

    // A new server is registered without LiteLLM's word.
    world.apply_servers(&["c".to_owned()])?;
    is_registered(&world, "c")?;
    eventually("all are in the file", SOON, || {
        let file = world.file()?;
        ensure!(
            ["a", "b", "c"]
                .iter()
                .all(|name| file.contains(&format!("servers_{name}:"))),
            "{file}"
        );
        Ok(())
    })
}
