//! Who waits for an edit, with the code of kstatus, is told when LiteLLM has it: never before, and always.

use std::collections::BTreeSet;
use std::env;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mcp_cluster::{Cache, Kstatus};
use mcp_e2e::{LiteLlm, Operator};
use serde_json::{Value, json};

use crate::gateway::start;
use crate::world::{ATTENTIVE, NAMESPACE, SOON, World, condition};

/// Servers that are edited at once.
const SERVERS: usize = 5;
/// Edits of each, unless `MCP_OPERATOR_TRIES` says how many there are in all.
const ROUNDS: usize = 3;

/// What an edit changes: what LiteLLM shows, the pods, or both. Each time something else.
fn edit(world: &World, server: &str, round: usize) -> Result<()> {
    let mut spec = json!({});
    if round % 3 != 1 {
        spec["litellm"] = json!({ "description": format!("{server} of round {round}") });
    }
    if !round.is_multiple_of(3) {
        spec["image"] = json!({ "tag": format!("1.0.{round}") });
    }
    let patch = json!({ "spec": spec }).to_string();
    let kind = ["patch", "mcpserver", server, "--namespace", NAMESPACE];
    let patch = ["--type=merge", "--patch", &patch];
    world
        .kubectl()
        .run(&[kind.as_slice(), &patch].concat())
        .map(drop)
}

/// What must be true when somebody is told that a server is ready.
fn is_truly_ready(litellm: &LiteLlm, server: &Value) -> Result<()> {
    let name = server["metadata"]["name"].as_str().unwrap_or_default();
    let ready = condition(server, "Ready");
    ensure!(ready["status"] == "True", "{name}: {ready}");
    let generation = &server["metadata"]["generation"];
    ensure!(
        ready["observedGeneration"] == *generation,
        "{name}: {ready}"
    );
    let wanted = server["spec"]["litellm"]["description"].as_str();
    let shown = litellm.description(name);
    ensure!(
        wanted.is_none() || shown.as_deref() == wanted,
        "{name} is ready, and LiteLLM shows {shown:?} where {wanted:?} is wanted"
    );
    Ok(())
}

#[test]
fn flux_387_kstatus_waits_for_an_edit_until_litellm_has_it() -> Result<()> {
    let tries = env::var("MCP_OPERATOR_TRIES").ok();
    let tries = tries.and_then(|tries| tries.parse().ok());
    let rounds = tries.map_or(ROUNDS, |tries: usize| tries.div_ceil(SERVERS));
    let kstatus = Kstatus::build(&Cache::open()?)?;
    let (world, litellm) = start("kstatus-edits")?;
    let kubeconfig = world.kubectl().kubeconfig();
    let environment = &world.own.environment;
    let _operator = Operator::start_with(environment, "kstatus-edits", kubeconfig, &ATTENTIVE)?;
    let servers: Vec<String> = (0..SERVERS).map(|number| format!("s-{number}")).collect();
    world.apply_servers(&servers)?;
    let (mut done, mut seen_waiting) = (0, 0);
    for round in 0..=rounds {
        let mut waiting: BTreeSet<&String> = servers.iter().collect();
        let began = Instant::now();
        while !waiting.is_empty() {
            let get = ["get", "mcpservers", "--namespace", NAMESPACE];
            let found = world.kubectl().json(&get)?;
            for server in found["items"].as_array().into_iter().flatten() {
                let name = server["metadata"]["name"].as_str().unwrap_or_default();
                if kstatus.of(server)?.starts_with("Current") {
                    is_truly_ready(&litellm, server)?;
                    if waiting.remove(&name.to_owned()) {
                        done += 1;
                    }
                } else {
                    seen_waiting += 1;
                }
            }
            ensure!(began.elapsed() < SOON, "round {round}: {waiting:?} hang");
            sleep(Duration::from_millis(20));
        }
        if round < rounds {
            for server in &servers {
                edit(&world, server, round)?;
            }
        }
    }
    ensure!(seen_waiting >= rounds, "nobody ever had to wait");
    println!("{done} times current, never too early; {seen_waiting} times in progress");
    ensure!(done == SERVERS * (rounds + 1), "{done}");
    Ok(())
}
