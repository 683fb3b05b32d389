//! A measurement: the leader of many MCPServers is killed, and later the other is stopped. How long until the one that is left
//! writes, and what does it write besides?

use std::env;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use mcp_cluster::Kubectl;
use mcp_e2e::{Operator, OwnCluster, Request, eventually, leads};
use serde_json::{Value, json};

const NAMESPACE: &str = OwnCluster::NAMESPACE;
/// Where nobody says how many.
const SERVERS: usize = 10_000;
/// Of one call of kubectl, and calls at once.
const BATCH: usize = 250;
const AT_ONCE: usize = 4;
/// Until all of them have a status.
const LONG: Duration = Duration::from_hours(1);
/// The lease as it is shipped, and one second.
const AFTER_KILL: Duration = Duration::from_secs(16);
/// Who is stopped gives the lease back.
const AFTER_STOP: Duration = Duration::from_secs(1);

#[test]
#[ignore = "a measurement of minutes: `cargo xtask chaos --takeover 10000`"]
fn takeover_with_many_servers() -> Result<()> {
    let count = match env::var("MCP_CHAOS_SERVERS") {
        Ok(count) => count.parse().context("MCP_CHAOS_SERVERS is no number")?,
        Err(_) => SERVERS,
    };
    let mut own = OwnCluster::start("takeover", &[])?;
    let kubectl = own.kubectl().clone();
    // Beside a cluster they name one replica only.
    kubectl.run(&[
        "delete",
        "mutatingwebhookconfiguration/mcp-operator",
        "validatingwebhookconfiguration/mcp-operator",
    ])?;
    kubectl.run(&[
        "annotate",
        "namespace",
        NAMESPACE,
        "mcp.litellm.ai/remote-hosts=*",
    ])?;
    let environment = own.environment.clone();
    let replica = |name| Operator::start_replica(&environment, name, kubectl.kubeconfig());
    let mut first = replica("takeover-first")?;
    leads(&kubectl, "takeover-first", AFTER_KILL * 2)?;
    let second = replica("takeover-second")?;
    let began = Instant::now();
    create(&kubectl, count)?;
    eprintln!("{count} MCPServers made in {} s", began.elapsed().as_secs());
    judged(&kubectl, count)?;
    eprintln!(
        "all have their status after {} s",
        began.elapsed().as_secs()
    );
    own.audit.settled(matters)?;

    first.kill();
    taken_over(&mut own, "killed", "other", AFTER_KILL)?;
    let _first = replica("takeover-first")?;
    own.audit.settled(matters)?;
    second.signal("TERM")?;
    taken_over(&mut own, "stopped", "third", AFTER_STOP)
}

/// The leader of a moment ago is not there. Another one writes what follows from a change, in time, and nothing besides.
fn taken_over(own: &mut OwnCluster, how: &str, path: &str, within: Duration) -> Result<()> {
    let took = written_after_change(own.kubectl(), path)?;
    let mut writes = own.audit.settled(matters)?;
    writes.retain(|request| request.is_write() && matters(request));
    let (asked_for, superfluous): (Vec<_>, Vec<_>) = writes
        .into_iter()
        .partition(|request| request.object.ends_with("/r-0") || request.resource == "events");
    eprintln!(
        "the other wrote {} ms after the leader was {how}: {} writes for the change, {} besides",
        took.as_millis(),
        asked_for.len(),
        superfluous.len()
    );
    ensure!(superfluous.is_empty(), "{superfluous:?}");
    ensure!(took < within, "{took:?}");
    Ok(())
}

fn matters(request: &Request) -> bool {
    !request.is_about_webhook()
}

/// What runs elsewhere has no objects: the smallest that an MCPServer can be.
fn server(index: usize, path: &str) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": format!("r-{index}"), "namespace": NAMESPACE },
        "spec": { "remote": { "url": format!("https://mcp.example.com/{path}") }, "litellm": { "autoRegister": false } },
    })
}

fn create(kubectl: &Kubectl, count: usize) -> Result<()> {
    let batches: Vec<usize> = (0..count).step_by(BATCH).collect();
    let made = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|first| {
                let batches = batches.iter().skip(first).step_by(AT_ONCE);
                scope.spawn(move || -> Result<()> {
                    for begin in batches {
                        let end = count.min(begin + BATCH);
                        let items: Vec<Value> =
                            (*begin..end).map(|index| server(index, "mcp")).collect();
                        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
                        kubectl.pipe(&["create", "--filename", "-"], &list.to_string())?;
                    }
                    Ok(())
                })
            })
            .collect();
        let made = threads.into_iter().map(thread::ScopedJoinHandle::join);
        made.map(|made| made.unwrap_or_else(|_| Err(anyhow!("a user panicked"))))
            .collect::<Result<Vec<()>>>()
    });
    made.map(drop)
}

/// Waits until each has a phase.
fn judged(kubectl: &Kubectl, count: usize) -> Result<()> {
    eventually("all have a status", LONG, || {
        let path = "--output=jsonpath={.items[*].status.phase}";
        let phases = kubectl.run(&["get", "mcpservers", "--namespace", NAMESPACE, path])?;
        let found = phases.split_whitespace().count();
        ensure!(found == count, "{found} of {count}");
        Ok(())
    })
}

/// How long until a change that is made now has come through.
fn written_after_change(kubectl: &Kubectl, path: &str) -> Result<Duration> {
    let began = Instant::now();
    let get = ["get", "mcpserver", "r-0", "--namespace", NAMESPACE];
    let change = json!({ "apiVersion": "v1", "kind": "List", "items": [server(0, path)] });
    kubectl.apply(&change.to_string())?;
    let generation = kubectl.json(&get)?["metadata"]["generation"].clone();
    while kubectl.json(&get)?["status"]["observedGeneration"] != generation {
        ensure!(began.elapsed() < LONG, "nothing is written");
        sleep(Duration::from_millis(50));
    }
    Ok(began.elapsed())
}
