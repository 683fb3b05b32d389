//! From one strategy to the other and back.

use anyhow::{Result, ensure};
use mcp_cluster::{LiteLlm, repository};
use serde_json::{Value, json};

use crate::world::World;

/// LiteLLM lists without a database, and refuses every change: nobody must lose a server by that.
pub(crate) fn not_without_a_database(world: &World) -> Result<()> {
    world.step("the admin API is wanted, and LiteLLM has no database");
    world.give_key(LiteLlm::KEY)?;
    let registrar = repository().join("deploy/overlays/litellm-admin-api/registrar.yaml");
    world
        .kubectl()
        .run(&["apply", "--filename", &registrar.to_string_lossy()])?;
    let message = world.registrar_is("litellm-admin-api", "Unknown", "TakingOver")?;
    ensure!(
        message.contains("litellm-configmap registers meanwhile"),
        "{message}"
    );
    ensure!(message.contains("LiteLLM has no database"), "{message}");
    world.registrar_is("litellm-configmap", "True", "InForce")?;
    ensure!(world.file()?.contains("tenants_a:"));
    world.server_is("a", "True", "Registered").map(drop)
}

pub(crate) fn to_the_admin_api(world: &World) -> Result<()> {
    world.step("LiteLLM gets a database, and the operator a key of its own");
    world.database.deploy(world.kubectl())?;
    world.give_key(&world.make_key()?)?;
    world.while_calling("a", || {
        world.registrar_is("litellm-admin-api", "True", "InForce")?;
        for name in ["a", "b"] {
            world.server_is(name, "True", "Registered")?;
        }
        world.lists(&["a", "b", "none"], false)
    })?;
    ensure!(world.file()? == "{}\n", "{}", world.file()?);
    world.registrar_is("litellm-configmap", "False", "Standby")?;
    world.call("a")?;
    world.call("b")
}

pub(crate) fn back_to_the_file(world: &World) -> Result<()> {
    world.step("back to the file");
    let before = world.rollouts()?;
    world
        .kubectl()
        .run(&["delete", "mcpplugin", "litellm-admin-api"])?;
    world.while_calling("a", || {
        world.registrar_is("litellm-configmap", "True", "InForce")?;
        world.lists(&["a", "b"], true)?;
        for name in ["a", "b"] {
            world.server_is(name, "True", "Registered")?;
            world.call(name)?;
        }
        Ok(())
    })?;
    ensure!(world.rollouts()? == before + 1, "one rollout is enough");
    // What comes from the file is listed whether or not there is something else by the same id in the database.
    let statement = r#"do $$ begin if exists (select from "LiteLLM_MCPServerTable") then raise 'left behind'; end if; end $$"#;
    world.database.run(world.kubectl(), statement)
}

/// On request, registered is only what LiteLLM lists and reaches; names that others have there are refused.
pub(crate) fn as_litellm_says_itself(world: &World) -> Result<()> {
    world.step("LiteLLM itself is asked");
    let patch = json!({ "spec": {
        "settings": { "verify": { "connection": "litellm", "health": true } },
        "connections": [connection()],
    }});
    let patch = patch.to_string();
    world.kubectl().run(&[
        "patch",
        "mcpplugin",
        "litellm-configmap",
        "--type=merge",
        "--patch",
        &patch,
    ])?;
    let theirs = json!({
        "server_id": "theirs", "server_name": "tenants_taken", "url": "http://elsewhere.test/mcp", "transport": "http",
    });
    let (status, said) = world.admin("POST", "/v1/mcp/server", Some(&theirs))?;
    ensure!(status == 201, "{status} {said}");
    world.apply_server("taken", "It adds")?;
    world.apply_server_with("lost", json!({ "path": "/nowhere" }))?;
    world.server_is("taken", "False", "NameCollision")?;
    let message = world.server_is("lost", "False", "Unhealthy")?;
    ensure!(message.contains("/nowhere"), "{message}");
    for name in ["a", "b"] {
        world.server_is(name, "True", "Registered")?;
    }
    ensure!(!world.file()?.contains("tenants_taken:"));
    Ok(())
}

/// One that repeats everything that it is told, also what LiteLLM answers about the key.
pub(crate) fn a_registrar_says_all_it_knows(world: &World) -> Result<()> {
    world.step("a registrar says everything that it is told");
    let from = format!("--from-file=plugin.wasm={}", world.fixture().display());
    world.kubectl().run(&[
        "create",
        "configmap",
        "echo",
        "--namespace=mcp-operator-system",
        &from,
    ])?;
    let plugin = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "echo" },
        "spec": {
            "source": { "configMap": { "namespace": "mcp-operator-system", "name": "echo" } },
            "settings": { "plan": "echo-input" }, "priority": 10, "connections": [connection()],
        },
    });
    world.kubectl().apply(&plugin.to_string())?;
    let message = world.registrar_is("echo", "Unknown", "TakingOver")?;
    for told in ["/key/info", "mcp-operator.tenants.a", "content-type"] {
        ensure!(message.contains(told), "{told} is not in {message}");
    }
    Ok(())
}

/// The operator's to LiteLLM.
fn connection() -> Value {
    json!({
        "name": "litellm", "baseUrl": "http://litellm-proxy.litellm.svc:4000",
        "auth": { "secretKeyRef": { "name": "litellm-mcp-operator", "key": "token" } },
    })
}
