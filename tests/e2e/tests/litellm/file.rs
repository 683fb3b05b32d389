//! Servers change, and LiteLLM restarts, by the file.

use anyhow::{Result, ensure};
use mcp_cluster::rolled_out;
use mcp_e2e::eventually;
use serde_json::json;

use crate::world::{PATIENCE, World};

/// LiteLLM authenticates to the third with what only its own environment holds: that one lets nobody else in.
pub(crate) fn three_servers(world: &World) -> Result<()> {
    world.step("three servers, by the file");
    for name in ["a", "b"] {
        world.apply_server(name, "It adds")?;
    }
    let fields = json!({
        "env": [{ "name": "TOKEN", "value": "token-of-secured" }],
        "litellm": { "description": "It adds", "auth": { "type": "bearerToken" } },
    });
    world.apply_server_with("secured", fields)?;
    let names = ["a", "b", "secured"];
    for name in names {
        world.server_is(name, "True", "Registered")?;
    }
    world.lists(&names, true)?;
    for name in names {
        world.call(name)?;
    }
    let reference = r#"authentication_token: "os.environ/MCP_TOKEN_TENANTS_SECURED""#;
    ensure!(world.file()?.contains(reference), "{}", world.file()?);
    Ok(())
}

pub(crate) fn changed_and_restarted(world: &World) -> Result<()> {
    world.step("the texts of a server change, by the file");
    let before = world.rollouts()?;
    let litellm =
        json!({ "litellm": { "description": "It adds numbers", "allowedTools": ["add"] } });
    world.apply_server_with("a", litellm)?;
    eventually("LiteLLM knows the new texts", PATIENCE, || {
        let entries = world.entries()?;
        let is_new = entries.iter().any(|entry| {
            entry["server_id"] == "mcp-operator.tenants.a"
                && entry["description"] == "It adds numbers"
                && entry["allowed_tools"] == json!(["add"])
        });
        ensure!(is_new, "{entries:?}");
        Ok(())
    })?;
    world.server_is("a", "True", "Registered")?;
    ensure!(world.rollouts()? == before + 1, "one rollout is enough");
    let tools = world.litellm.tools(world.kubectl())?;
    let of_a: Vec<_> = tools
        .iter()
        .filter(|tool| tool.starts_with("tenants_a-"))
        .collect();
    ensure!(of_a == ["tenants_a-add"], "{tools:?}");
    world.call("a")?;

    world.step("LiteLLM restarts by itself");
    let pods = ["--selector=app=litellm-proxy", "--namespace=litellm"];
    world
        .kubectl()
        .run(&["delete", "pod", pods[0], pods[1], "--wait=true"])?;
    rolled_out(world.kubectl())?;
    world.lists(&["a", "b", "secured"], true)?;
    world.call("a")?;
    world.server_is("a", "True", "Registered")?;
    ensure!(
        world.rollouts()? == before + 1,
        "a restart is no reason for a rollout"
    );
    Ok(())
}

/// LiteLLM's database would keep the name of the variable, and LiteLLM would send that.
pub(crate) fn not_by_the_admin_api(world: &World) -> Result<()> {
    world.step("a server that asks for a token is refused by the admin API");
    let message = world.server_is("secured", "False", "AuthNotSupported")?;
    ensure!(
        message.contains("use the plugin litellm-configmap"),
        "{message}"
    );
    world.delete_server("secured")
}
