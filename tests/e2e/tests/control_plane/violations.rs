//! What a rule would refuse if it enforced, before it does.

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use mcp_e2e::{eventually, holds_for};
use serde_json::{Value, json};

use crate::world::{OPERATOR, SOON, World, environment};

const RULE: &str = "violations";
/// Longer than the operator waits until it counts.
const SETTLED: Duration = Duration::from_secs(6);

/// Waits until the status says so many.
fn told(world: &World, count: u32) -> Result<Value> {
    // Where other tests change plugins, all servers are judged again before anything is told.
    eventually("the violations are told", SOON * 3, || {
        let plugin = world.kubectl.json(&["get", "mcpplugin", RULE])?;
        let found = &plugin["status"]["violatingServers"];
        ensure!(*found == count, "{found}");
        Ok(plugin)
    })
}

fn label(world: &World, server: &str, label: &str) -> Result<()> {
    let namespace = format!("--namespace={}", world.namespace);
    let label = ["label", "mcpserver", server, label, &namespace];
    world.kubectl.run(&label).map(drop)
}

#[test]
fn a_rule_that_only_records_says_how_many_servers_it_would_refuse() -> Result<()> {
    let world = World::new(RULE);
    for name in ["a", "b", "c"] {
        world.apply(&world.server(name, json!({})))?;
    }
    label(&world, "c", "team=payments")?;
    let artifacts = &environment().artifacts;
    world.config_map(RULE, &artifacts.plugins.join("require_team_label.wasm"))?;
    let source = json!({ "configMap": { "namespace": OPERATOR, "name": RULE } });
    world.apply(&world.plugin(RULE, json!({ "source": source, "mode": "audit" })))?;
    told(&world, 2)?;
    let shown = world.kubectl.run(&["get", "mcpplugin", RULE])?;
    ensure!(shown.contains("VIOLATIONS"), "{shown}");

    // One is mended, one goes, and one comes.
    label(&world, "a", "team=payments")?;
    told(&world, 1)?;
    world.kubectl.run(&[
        "delete",
        "mcpserver",
        "b",
        &format!("--namespace={}", world.namespace),
    ])?;
    told(&world, 0)?;
    world.apply(&world.server("d", json!({})))?;
    let plugin = told(&world, 1)?;

    // What is judged again with the same result is not written again.
    let version = plugin["metadata"]["resourceVersion"].clone();
    label(&world, "d", "note=1")?;
    holds_for("nothing is written", SETTLED, || {
        let plugin = world.kubectl.json(&["get", "mcpplugin", RULE])?;
        let found = &plugin["metadata"]["resourceVersion"];
        ensure!(*found == version, "{plugin}");
        Ok(())
    })?;

    // Another one of its name knows nothing of what was said of the one before.
    let again = world.plugin(RULE, json!({ "source": source, "mode": "audit" }));
    let replace = ["replace", "--force", "--filename", "-"];
    world.kubectl.pipe(&replace, &again.to_string())?;
    told(&world, 1)?;

    // It enforces: what is stored stays, and counts.
    world.apply(&world.plugin(RULE, json!({ "source": source, "mode": "enforce" })))?;
    world.condition("d", "SpecValid", "False", "")?;
    told(&world, 1)?;

    // An exception makes a warning of it, and ends by itself.
    let excepted = |until: Timestamp| {
        let exception = json!({ "namespace": world.namespace, "name": "d", "rules": ["team-label"], "owner": "ann", "until": until.to_string() });
        let spec = json!({ "source": source, "mode": "enforce", "exceptions": [exception] });
        world.apply(&world.plugin(RULE, spec))
    };
    excepted(Timestamp::now() + Duration::from_hours(1))?;
    told(&world, 0)?;
    world.condition("d", "SpecValid", "True", "")?;
    eventually("the exception is in force", SOON, || {
        let server = world
            .server("d", json!({ "config": { "a": 1 } }))
            .to_string();
        let apply = ["apply", "--filename", "-"];
        let said = world.kubectl.pipe_with_warnings(&apply, &server)?;
        ensure!(said.contains("by ann)"), "{said}");
        Ok(())
    })?;
    ensure!(
        world
            .refused(&world.server("e", json!({})))
            .contains("metadata.labels[team]")
    );
    excepted(Timestamp::now() + Duration::from_secs(10))?;
    world.condition("d", "SpecValid", "False", "")?;
    told(&world, 1)?;
    world.kubectl.run(&["delete", "mcpplugin", RULE]).map(drop)
}
