//! Servers change, and LiteLLM restarts, by the file.

use std::fs;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{repository, rolled_out};
use mcp_e2e::eventually;
use serde_json::{Value, json};

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
    let fields = json!({ "litellm": { "description": "It adds", "allowedTools": [] } });
    world.apply_server_with("none", fields)?;
    let fields = json!({ "litellm": {
        "description": "It adds", "instructions": "Ask whoami first",
        "allowedParameters": [{ "tool": "add", "parameters": ["a"] }], "limits": limits(),
    }});
    world.apply_server_with("limited", fields)?;
    let names = ["a", "b", "secured", "none", "limited"];
    for name in names {
        world.server_is(name, "True", "Registered")?;
    }
    world.lists(&names, true)?;
    for name in ["a", "b", "secured"] {
        world.call(name)?;
    }
    let reference = r#"authentication_token: "os.environ/MCP_TOKEN_TENANTS_SECURED""#;
    ensure!(world.file()?.contains(reference), "{}", world.file()?);
    none_is_none(world)?;
    let said = world.refused("limited", "add", &json!({ "a": 1, "b": 2 }))?;
    ensure!(said.contains("['b'] are not allowed"), "{said}");
    is_limited(world)
}

/// The script of the README's quick start.
pub(crate) fn called_as_in_the_quick_start(world: &World) -> Result<()> {
    world.step("the quick start's call.py");
    let manifests = fs::read_to_string(repository().join("deploy/samples/quickstart.yaml"))?;
    let script = manifests
        .split("\n---\n")
        .map(serde_yaml_ng::from_str)
        .collect::<Result<Vec<Value>, _>>()?
        .into_iter()
        .find_map(|object| object["data"]["call.py"].as_str().map(str::to_owned))
        .context("the quick start has no call.py")?;
    let said = |words: &[&str]| world.litellm.run_script(world.kubectl(), &script, words);
    let tools = said(&[])?;
    ensure!(tools.lines().any(|tool| tool == "tenants_a-add"), "{tools}");
    let sum = said(&["tenants_a-add", r#"{"a": 40, "b": 2}"#])?;
    let sum: Value = serde_json::from_str(&sum)?;
    ensure!(
        sum["content"][0]["text"] == "42" && sum["isError"] != true,
        "{sum}"
    );
    Ok(())
}

/// Few enough to be reached by a test.
fn limits() -> serde_json::Value {
    json!({ "requestsPerMinute": 4, "maxConcurrentRequests": 2, "timeoutSeconds": 30 })
}

/// An empty list of tools, to LiteLLM alone, would be all.
fn none_is_none(world: &World) -> Result<()> {
    let tools = world.litellm.tools(world.kubectl())?;
    ensure!(
        tools.iter().any(|tool| tool == "tenants_a-add")
            && !tools.iter().any(|tool| tool.starts_with("tenants_none-")),
        "{tools:?}"
    );
    let said = world.refused("none", "add", &json!({ "a": 1, "b": 2 }))?;
    ensure!(said.contains("not allowed"), "{said}");
    Ok(())
}

/// LiteLLM knows the limits, and refuses what is too much.
fn is_limited(world: &World) -> Result<()> {
    eventually("LiteLLM knows the limits", PATIENCE, || {
        let entries = world.entries()?;
        let knows = |entry: &serde_json::Value| {
            entry["server_id"] == "mcp-operator.tenants.limited"
                && entry["rpm"] == 4
                && entry["max_concurrent_requests"] == 2
                && entry["timeout"].as_f64() == Some(30.0)
                && entry["instructions"] == "Ask whoami first"
        };
        ensure!(entries.iter().any(knows), "{entries:?}");
        Ok(())
    })?;
    eventually("there is a limit", PATIENCE, || {
        let said = world.refused("limited", "whoami", &json!({}))?;
        ensure!(said.contains("Rate limit exceeded"), "{said}");
        Ok(())
    })
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
    world.lists(&["a", "b", "secured", "none", "limited"], true)?;
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
    world.delete_server("secured")?;

    world.step("limits and empty lists hold by the admin API too");
    none_is_none(world)?;
    let message = world.server_is("limited", "False", "AllowedParametersNotSupported")?;
    ensure!(
        message.contains("use the plugin litellm-configmap"),
        "{message}"
    );
    let litellm = |limits: serde_json::Value, instructions: serde_json::Value| json!({ "litellm": { "description": "It adds", "instructions": instructions, "limits": limits } });
    world.apply_server_with("limited", litellm(limits(), json!("Ask whoami first")))?;
    world.server_is("limited", "True", "Registered")?;
    is_limited(world)?;
    // What is taken out of the manifest is gone in LiteLLM.
    world.apply_server_with("limited", litellm(json!(null), json!(null)))?;
    eventually("nothing is limited", PATIENCE, || {
        let entries = world.entries()?;
        let is_free = entries.iter().any(|entry| {
            entry["server_id"] == "mcp-operator.tenants.limited"
                && ["rpm", "max_concurrent_requests", "timeout", "instructions"]
                    .iter()
                    .all(|field| entry[*field].is_null())
        });
        ensure!(is_free, "{entries:?}");
        Ok(())
    })?;
    world.call("limited")?;
    for name in ["limited", "none"] {
        world.delete_server(name)?;
    }
    world.lists(&["a", "b"], false)
}
