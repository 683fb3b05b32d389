//! What LiteLLM and the operator go through.

use anyhow::{Result, ensure};
use mcp_cluster::rolled_out;
use serde_json::json;

use crate::world::{OPERATOR, World};

const LITELLM: [&str; 2] = ["deployment/litellm-proxy", "--namespace=litellm"];

pub(crate) fn the_database_is_away_and_then_empty(world: &World) -> Result<()> {
    world.step("the database is away");
    world.database.allow_connections(world.kubectl(), false)?;
    world.apply_server("d", "It adds")?;
    let message = world.server_is("d", "Unknown", "LiteLLMUnavailable")?;
    ensure!(message.contains("LiteLLM"), "{message}");
    world.server_is("a", "True", "Registered")?;
    world.database.allow_connections(world.kubectl(), true)?;
    world.server_is("d", "True", "Registered")?;
    world.lists(&["a", "b", "d"], false)?;

    world.step("the database has lost all servers");
    world
        .database
        .run(world.kubectl(), r#"delete from "LiteLLM_MCPServerTable""#)?;
    world.lists(&["a", "b", "d"], false)?;
    world.call("a")
}

pub(crate) fn the_proxy_is_down(world: &World) -> Result<()> {
    world.step("LiteLLM is down; one server goes and another comes");
    world
        .kubectl()
        .run(&["scale", LITELLM[0], LITELLM[1], "--replicas=0"])?;
    world.delete_server("d")?;
    world.apply_server("e", "It adds")?;
    world.server_is("e", "Unknown", "LiteLLMUnavailable")?;
    world
        .kubectl()
        .run(&["scale", LITELLM[0], LITELLM[1], "--replicas=1"])?;
    rolled_out(world.kubectl())?;
    world.lists(&["a", "b", "e"], false)?;
    world.server_is("e", "True", "Registered")?;
    world.call("e")
}

pub(crate) fn the_key_is_revoked(world: &World) -> Result<()> {
    world.step("the operator's key is revoked");
    let body = json!({ "keys": [world.last_key()] });
    let (status, said) = world.admin("POST", "/key/delete", Some(&body))?;
    ensure!(status == 200, "{status} {said}");
    let message = world.server_is("a", "False", "AccessDenied")?;
    ensure!(
        message.contains("use a key of a user with the role proxy_admin"),
        "{message}"
    );
    // What is registered stays, and is used.
    world.call("a")?;
    world.step("a new key, without a restart");
    let before = world.operator_pod()?;
    world.give_key(&world.make_key()?)?;
    world.server_is("a", "True", "Registered")?;
    ensure!(
        world.operator_pod()? == before,
        "the operator was restarted"
    );
    Ok(())
}

pub(crate) fn the_operator_is_down(world: &World) -> Result<()> {
    world.step("a server goes while the operator is down");
    world
        .kubectl()
        .run(&["scale", OPERATOR[0], OPERATOR[1], "--replicas=0"])?;
    let gone = [
        "wait",
        "--for=delete",
        "pod",
        "--selector=app.kubernetes.io/name=mcp-operator",
        OPERATOR[1],
        "--timeout=60s",
    ];
    world.kubectl().run(&gone)?;
    world.delete_server("e")?;
    // From here on it logs everything.
    world
        .kubectl()
        .run(&["set", "env", OPERATOR[0], OPERATOR[1], "RUST_LOG=trace"])?;
    world
        .kubectl()
        .run(&["scale", OPERATOR[0], OPERATOR[1], "--replicas=1"])?;
    world.lists(&["a", "b"], false)
}
