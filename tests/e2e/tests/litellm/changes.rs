//! Servers come, change and go, by the admin API.

use anyhow::{Result, ensure};
use mcp_cluster::LiteLlm;
use mcp_e2e::eventually;
use serde_json::json;

use crate::world::{PATIENCE, World};

pub(crate) fn created_updated_deleted(world: &World) -> Result<()> {
    world.step("a server comes, changes and goes");
    let before = world.rollouts()?;
    world.apply_server("c", "It adds")?;
    world.server_is("c", "True", "Registered")?;
    world.call("c")?;
    let others = world.versions(&["a", "b"])?;
    world.apply_server("c", "It adds numbers")?;
    eventually("the description is in LiteLLM", PATIENCE, || {
        let entries = world.entries()?;
        let found = entries
            .iter()
            .any(|entry| entry["description"] == "It adds numbers");
        ensure!(found, "{entries:?}");
        Ok(())
    })?;
    world.server_is("c", "True", "Registered")?;
    let all = world.rests(&["a", "b", "c"])?;
    ensure!(all[..2] == others, "only what changed is sent");
    // And again changes nothing.
    world.is_told_nothing(&["a", "b", "c"], &all)?;
    world.delete_server("c")?;
    world.lists(&["a", "b"], false)?;
    ensure!(
        world.rollouts()? == before,
        "the admin API needs no rollout"
    );
    Ok(())
}

pub(crate) fn entries_of_others_stay(world: &World) -> Result<()> {
    world.step("somebody else has a name");
    let theirs = json!({
        "server_id": "theirs", "server_name": "tenants_taken", "url": "http://elsewhere.test/mcp", "transport": "http",
    });
    let (status, said) = world.admin("POST", "/v1/mcp/server", Some(&theirs))?;
    ensure!(status == 201, "{status} {said}");
    world.apply_server("taken", "It adds")?;
    let message = world.server_is("taken", "False", "NameCollision")?;
    ensure!(
        message.contains("id theirs: rename one of them"),
        "{message}"
    );
    world.delete_server("taken")?;
    let (status, _) = world.admin("GET", "/v1/mcp/server", None)?;
    ensure!(status == 200);
    ensure!(
        world.listed()?.contains(&("theirs".into(), false)),
        "theirs is gone"
    );
    let (status, _) = world.admin("DELETE", "/v1/mcp/server/theirs", None)?;
    ensure!(status == 202);
    world.lists(&["a", "b"], false)
}

/// To a key that may do everything, LiteLLM shows who may use a server.
pub(crate) fn what_somebody_edits_is_put_back(world: &World) -> Result<()> {
    world.step("somebody edits an entry");
    world.give_key(LiteLlm::KEY)?;
    let edited = json!({
        "server_id": "mcp-operator.tenants.b", "mcp_access_groups": ["everybody"], "allowed_tools": ["drop_tables"],
    });
    let (status, said) = world.admin("PUT", "/v1/mcp/server", Some(&edited))?;
    ensure!(status == 202, "{status} {said}");
    eventually("the entry is as it was", PATIENCE, || {
        let entries = world.entries()?;
        let is_back = entries.iter().any(|entry| {
            entry["server_id"] == edited["server_id"]
                && entry["mcp_access_groups"] == json!([])
                && entry["allowed_tools"] == json!([])
        });
        ensure!(is_back, "{entries:?}");
        Ok(())
    })?;
    world.server_is("b", "True", "Registered")?;
    let key = world.make_key()?;
    let before = world.rests(&["a", "b"])?;
    // A new key is used at once, and to a limited key nothing looks edited.
    world.give_key(&key)?;
    world.is_told_nothing(&["a", "b"], &before)
}
