//! Every plugin that means harm, put into force: what its condition, the condition and the events of the servers that it is
//! asked about, and the metrics say; and that another one's servers are judged meanwhile.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use mcp_e2e::eventually;
use mcp_hostile::{Ends, Hostile, corpus};
use serde_json::json;

use crate::world::{SOON, World, condition, operator};

/// So many are in force at the same time.
const AT_ONCE: usize = 6;

/// What ends by the limits of the compiler takes it a minute, and is left to the tests of the plugin host.
fn in_a_cluster() -> Vec<Hostile> {
    let mut hostile = corpus();
    hostile.retain(|hostile| !matches!(hostile.ends, Ends::Compiling(_)));
    hostile
}

#[test]
fn each_of_the_corpus_has_its_word_in_conditions_events_and_metrics() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bystander = World::new("beside-hostile");
    for (round, some) in in_a_cluster().chunks(AT_ONCE).enumerate() {
        let judged = std::thread::scope(|scope| {
            let judging: Vec<_> = some
                .iter()
                .map(|hostile| scope.spawn(|| in_force(hostile, folder.path())))
                .collect();
            let server = bystander.server(&format!("bystander-{round}"), json!({}));
            let beside = bystander.apply(&server).map(drop);
            let judged = judging.into_iter().map(|judging| judging.join().unwrap());
            [beside]
                .into_iter()
                .chain(judged.collect::<Vec<_>>())
                .collect::<Vec<_>>()
        });
        judged.into_iter().collect::<Result<Vec<()>>>()?;
    }
    Ok(())
}

/// One of them, from when it is applied until it is deleted.
fn in_force(hostile: &Hostile, folder: &Path) -> Result<()> {
    let name = format!("hostile-{}", hostile.name);
    let world = World::new(&name);
    world.apply(&world.server("a", json!({})))?;
    world.condition("a", "SpecValid", "True", "Valid")?;
    let file = folder.join(format!("{name}.wasm"));
    std::fs::write(&file, hostile.component())?;
    let spec = json!({
        "source": { "file": file }, "limits": { "timeoutMilliseconds": timeout(hostile.ends) },
    });
    world.apply(&world.plugin(&name, spec))?;
    let judged = judged(&world, &name, hostile.ends).with_context(|| name.clone());
    world.kubectl.run(&["delete", "mcpplugin", &name])?;
    judged?;
    world.condition("a", "SpecValid", "True", "Valid")?;
    world
        .kubectl
        .run(&["delete", "mcpserver", "a", "--namespace", &world.namespace])
        .map(drop)
}

/// Short for what never ends, and long enough for the rest.
fn timeout(ends: Ends) -> u32 {
    match ends.category() {
        "DeadlineExceeded" => 300,
        _ => 10_000,
    }
}

fn judged(world: &World, plugin: &str, ends: Ends) -> Result<()> {
    match ends {
        Ends::Loading(reason) | Ends::Compiling(reason) | Ends::Activating(reason) => {
            let found = world.plugin_is(plugin, "False", reason)?;
            let message =
                condition(&found, "Ready").context("no condition")?["message"].to_string();
            ensure!(message.len() < 4096, "{message}");
            is_told(world, "PluginUnavailable")?;
            counted(&format!(
                r#"mcp_operator_plugin_loaded{{plugin="{plugin}",mode="enforce"}} 0"#
            ))
        }
        Ends::Calling(reason) => {
            world.plugin_is(plugin, "True", "InForce")?;
            is_told(world, reason)?;
            counted(&outcome(plugin, reason))
        }
        Ends::Never => {
            world.plugin_is(plugin, "True", "InForce")?;
            counted(&outcome(plugin, "Answered"))?;
            world.condition("a", "SpecValid", "True", "Valid").map(drop)
        }
    }
}

/// By the condition of the server, and by its event.
fn is_told(world: &World, reason: &str) -> Result<()> {
    world.condition("a", "SpecValid", "Unknown", reason)?;
    eventually(&format!("event {reason}"), SOON, || {
        let events = world.events(reason)?;
        ensure!(!events.is_empty(), "no event");
        Ok(())
    })
}

fn outcome(plugin: &str, outcome: &str) -> String {
    format!(
        r#"mcp_operator_plugin_calls_total{{plugin="{plugin}",interface="validator",function="validate",outcome="{outcome}"}} "#
    )
}

/// Whether a line of the metrics begins so.
fn counted(line: &str) -> Result<()> {
    eventually(line, SOON, || {
        let text = operator().scrape()?;
        ensure!(
            text.lines().any(|found| found.starts_with(line)),
            "no such line"
        );
        Ok(())
    })
}
