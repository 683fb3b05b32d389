//! What the controller costs beside a client that just applies the same objects: `cargo xtask bench controller`.
//!
//! Both sides meet the same control plane, one after the other and in turns, with the same number of servers at once.

mod bare;
mod machine;
mod memory;
mod rig;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use mcp_e2e::Request;

use crate::rig::Rig;

/// Servers in each round, and rounds.
const SIZES: [(usize, usize); 2] = [(100, 3), (1000, 2)];
/// With `--full` as well: takes most of an hour.
const FULL: (usize, usize) = (5000, 1);
/// With `--full`, as many servers as there are at the end, for the memory.
const MOST: usize = 10_000;
/// Changes of a Secret, one after the other.
const ROTATIONS: usize = 20;
/// Single servers on an idle operator.
const SINGLES: usize = 50;
/// Secrets that are no server's.
const UNRELATED_SECRETS: usize = 10_000;
const QUIET: Duration = Duration::from_mins(1);
const QUIET_FULL: Duration = Duration::from_mins(10);

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().any(|argument| argument == "--full")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(full: bool) -> Result<()> {
    println!("{}", machine::facts());
    println!("| what | operator | bare client | ratio |\n|---|---|---|---|");
    let mut rig = Rig::start().await?;
    memory::report("no servers", &rig);
    single(&mut rig).await?;
    rotation(&mut rig).await?;
    for (size, rounds) in SIZES.into_iter().chain(full.then_some(FULL)) {
        beside_bare_client(&mut rig, size, rounds).await?;
        memory::report(&format!("{} servers", rig.servers()), &rig);
    }
    if full {
        let namespace = rig.namespace().await?;
        let more = MOST.saturating_sub(rig.servers());
        rig.operate(&namespace, more).await?;
        rig.settle(&namespace, more).await?;
        memory::report(&format!("{} servers", rig.servers()), &rig);
    }
    quiet(&mut rig, if full { QUIET_FULL } else { QUIET })?;
    memory::unrelated_secrets(&rig, UNRELATED_SECRETS).await?;
    memory::report(
        &format!(
            "{} servers and {UNRELATED_SECRETS} Secrets of others",
            rig.servers()
        ),
        &rig,
    );
    Ok(())
}

/// One MCPServer after the other, from the answer to its creation until its last object is there.
async fn single(rig: &mut Rig) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..SINGLES {
        let namespace = rig.namespace().await?;
        times.push(rig.operate(&namespace, 1).await?);
        rig.settle(&namespace, 1).await?;
    }
    print_times("one server, idle: all objects", times);
    Ok(())
}

/// From the answer to a change of a Secret until the pods' template has its new hash.
async fn rotation(rig: &mut Rig) -> Result<()> {
    let namespace = rig.namespace().await?;
    rig.secret(&namespace, 0).await?;
    rig.operate(&namespace, 1).await?;
    rig.settle(&namespace, 1).await?;
    let mut times = Vec::new();
    for round in 1..=ROTATIONS {
        times.push(rig.rotate(&namespace, round).await?);
        rig.settle(&namespace, 1).await?;
    }
    print_times("a Secret changes: the pods are replaced", times);
    Ok(())
}

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let milliseconds = |at: usize| times[at * (times.len() - 1) / 100].as_secs_f64() * 1000.0;
    println!(
        "| {what}, p50 and p95 | {:.0} and {:.0} ms | | |",
        milliseconds(50),
        milliseconds(95)
    );
}

async fn beside_bare_client(rig: &mut Rig, size: usize, rounds: usize) -> Result<()> {
    for round in 0..rounds {
        let (ours, theirs) = (rig.namespace().await?, rig.namespace().await?);
        let bare = bare::Applier::new(rig, &theirs)?;
        let bare_writes = bare.writes();
        rig.audit.requests()?;
        let (operator, bare) = if round % 2 == 0 {
            let operator = rig.operate(&ours, size).await?;
            rig.settle(&ours, size).await?;
            (operator, bare.apply(size).await?)
        } else {
            let bare = bare.apply(size).await?;
            rig.settle(&theirs, size).await?;
            (rig.operate(&ours, size).await?, bare)
        };
        rig.settle(&ours, size).await?;
        rig.settle(&theirs, size).await?;
        println!(
            "| {size} servers at once, round {} | {:.1} s | {:.1} s | {:.2} |",
            round + 1,
            operator.as_secs_f64(),
            bare.as_secs_f64(),
            operator.as_secs_f64() / bare.as_secs_f64()
        );
        let requests = rig.audit.requests()?;
        let writes = requests.iter().filter(|request| request.is_write()).count();
        println!(
            "| its writes and reads | {writes} and {} | {} and 0 | |",
            requests.len() - writes,
            bare_writes * size
        );
    }
    Ok(())
}

fn quiet(rig: &mut Rig, time: Duration) -> Result<()> {
    let writes =
        |requests: Vec<Request>| requests.iter().filter(|request| request.is_write()).count();
    rig.writes_have_ended()?;
    std::thread::sleep(time);
    let steady = writes(rig.audit.requests()?);
    println!("| writes in {} s of quiet | {steady} | | |", time.as_secs());
    rig.restart_operator()?;
    std::thread::sleep(time.min(QUIET));
    println!(
        "| writes after a restart | {} | | |",
        writes(rig.audit.requests()?)
    );
    Ok(())
}
