//! What the controller costs beside a client that just applies the same objects: `cargo xtask bench controller`.
//!
//! Both sides meet the same control plane, one after the other and in turns, with the same number of servers at once.

mod bare;
mod batch;
mod confinement;
mod memory;
mod pod;
mod rig;
mod seen;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_bench::{exit_code, machine};
use mcp_e2e::Request;

use crate::batch::Batch;
use crate::rig::Rig;

/// Servers in each round, and rounds. The largest first: memory is told where it is the only one. The cluster is slower
/// for whoever comes second in a round: an even number of rounds is fair to both.
const SIZES: [(usize, usize); 2] = [(1000, 2), (100, 4)];
/// With `--full` as well: takes most of an hour.
const FULL: (usize, usize) = (5000, 1);
/// With `--full`, as many servers as there are at the end, for the memory.
pub(crate) const MOST: usize = 10_000;
/// Changes of a Secret, and deletions of a ConfigMap, one after the other.
const CHANGES: usize = 30;
/// What the operator and the cluster's controllers need until nothing is going on any more.
const PAUSE: Duration = Duration::from_secs(1);
/// Single servers on an idle operator.
const SINGLES: usize = 50;
/// Secrets that are no server's.
const UNRELATED_SECRETS: usize = 10_000;
const QUIET: Duration = Duration::from_mins(10);
const QUIET_AFTER_RESTART: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() -> ExitCode {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    exit_code(if has("--memory") {
        pod::run(has("--full")).await
    } else if has("--confinement") {
        confinement::run().await
    } else {
        run(has("--full")).await
    })
}

async fn run(full: bool) -> Result<()> {
    println!("{}", machine::facts());
    println!("| what | operator | bare client | ratio |\n|---|---|---|---|");
    let mut rig = Rig::start().await?;
    memory::report("no servers", &rig);
    single(&mut rig).await?;
    changes(&mut rig).await?;
    for (size, rounds) in SIZES.into_iter().chain(full.then_some(FULL)) {
        beside_bare_client(&mut rig, size, rounds).await?;
    }
    if full {
        let more = rig.batch(MOST.saturating_sub(rig.servers())).await?;
        rig.operate(&more).await?;
        rig.settle(&more).await?;
        memory::report(&format!("{} servers", rig.servers()), &rig);
    }
    quiet(&mut rig)?;
    memory::report(&format!("{} servers, restarted", rig.servers()), &rig);
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
        let one = rig.batch(1).await?;
        times.push(rig.operate(&one).await?.1);
        idle(rig, &one).await?;
    }
    print_times("one server, idle: all objects", times);
    Ok(())
}

/// From the answer to a change of a Secret until the pods' template has its new hash, and from the answer to the deletion of
/// a ConfigMap until it is back.
async fn changes(rig: &mut Rig) -> Result<()> {
    let one = rig.batch(1).await?;
    let namespace = &one.namespaces[0];
    rig.secret(namespace, 0).await?;
    rig.operate(&one).await?;
    let (mut rotations, mut deletions) = (Vec::new(), Vec::new());
    for round in 1..=CHANGES {
        idle(rig, &one).await?;
        rotations.push(rig.rotate(namespace, round).await?);
        idle(rig, &one).await?;
        deletions.push(rig.take_away(namespace).await?);
    }
    print_times("a Secret changes: the pods are replaced", rotations);
    print_times("a ConfigMap is deleted: it is back", deletions);
    Ok(())
}

/// Waits until the pods of the one server are there, and everybody has said so.
async fn idle(rig: &Rig, one: &Batch) -> Result<()> {
    rig.settle(one).await?;
    tokio::time::sleep(PAUSE).await;
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
    let mut total = (Duration::ZERO, Duration::ZERO);
    for round in 0..rounds {
        let (ours, theirs) = (rig.batch(size).await?, rig.batch(size).await?);
        let bare = bare::Applier::new(rig)?;
        let bare_writes = bare.writes();
        rig.writes_have_ended()?;
        rig.audit.requests()?;
        let (operator, bare) = if round % 2 == 0 {
            let (operator, _) = rig.operate(&ours).await?;
            rig.settle(&ours).await?;
            rig.writes_have_ended()?;
            (operator, bare.apply(&theirs).await?)
        } else {
            let bare = bare.apply(&theirs).await?;
            rig.settle(&theirs).await?;
            rig.writes_have_ended()?;
            (rig.operate(&ours).await?.0, bare)
        };
        rig.settle(&ours).await?;
        rig.settle(&theirs).await?;
        rig.writes_have_ended()?;
        let first = if round % 2 == 0 {
            "operator"
        } else {
            "bare client"
        };
        print_ratio(
            &format!("{size} servers at once, {first} first"),
            operator,
            bare,
        );
        total = (total.0 + operator, total.1 + bare);
        let requests = rig.audit.requests()?;
        let writes = requests.iter().filter(|request| request.is_write()).count();
        println!(
            "| its writes and reads | {writes} and {} | {} and 0 | |",
            requests.len() - writes,
            bare_writes * size
        );
        memory::report(&format!("{} servers", rig.servers()), rig);
    }
    if rounds > 1 {
        print_ratio(
            &format!("{size} servers at once, all {rounds} rounds"),
            total.0,
            total.1,
        );
    }
    Ok(())
}

fn print_ratio(what: &str, operator: Duration, bare: Duration) {
    let (operator, bare) = (operator.as_secs_f64(), bare.as_secs_f64());
    println!(
        "| {what} | {operator:.1} s | {bare:.1} s | {:.2} |",
        operator / bare
    );
}

/// Nothing may be written where nothing changes, and by an operator that starts.
fn quiet(rig: &mut Rig) -> Result<()> {
    // Each operator here has an address of its own.
    let counts = |it: &&Request| it.is_write() && !it.is_about_webhook();
    let writes = |requests: Vec<Request>| requests.iter().filter(counts).count();
    rig.writes_have_ended()?;
    rig.audit.requests()?;
    std::thread::sleep(QUIET);
    let steady = writes(rig.audit.requests()?);
    println!(
        "| writes in {} s of quiet | {steady} | | |",
        QUIET.as_secs()
    );
    rig.restart_operator()?;
    std::thread::sleep(QUIET_AFTER_RESTART);
    let restarted = writes(rig.audit.requests()?);
    println!("| writes after a restart | {restarted} | | |");
    ensure!(steady + restarted == 0, "the operator wrote in vain");
    Ok(())
}
