//! From one strategy to the other and back.

use std::time::Instant;

use anyhow::{Result, ensure};
use mcp_cluster::{LiteLlm, repository};

use crate::world::World;

pub(crate) fn by_the_file(world: &World) -> Result<()> {
    world.step("two servers, by the file");
    for name in ["a", "b"] {
        world.apply_server(name, "It adds")?;
    }
    for name in ["a", "b"] {
        world.server_is(name, "True", "Registered")?;
    }
    world.lists(&["a", "b"], true)?;
    world.call("a")
}

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
    let began = Instant::now();
    world.registrar_is("litellm-admin-api", "True", "InForce")?;
    for name in ["a", "b"] {
        world.server_is(name, "True", "Registered")?;
    }
    world.lists(&["a", "b"], false)?;
    world.step(&format!(
        "the admin API has taken over, {} s after the key",
        began.elapsed().as_secs()
    ));
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
    world.registrar_is("litellm-configmap", "True", "InForce")?;
    world.lists(&["a", "b"], true)?;
    for name in ["a", "b"] {
        world.server_is(name, "True", "Registered")?;
        world.call(name)?;
    }
    ensure!(world.rollouts()? == before + 1, "one rollout is enough");
    // What comes from the file is listed whether or not there is something else by the same id in the database.
    let statement = r#"do $$ begin if exists (select from "LiteLLM_MCPServerTable") then raise 'left behind'; end if; end $$"#;
    world.database.run(world.kubectl(), statement)
}
