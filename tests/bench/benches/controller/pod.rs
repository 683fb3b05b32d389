//! Whether the operator, as its image has it, lives within the memory of the architecture's pod: `cargo xtask bench memory`.

use anyhow::{Context, Result, ensure};
use mcp_bench::machine;
use mcp_e2e::MemoryGroup;

use crate::MOST;
use crate::rig::Rig;

/// The architecture's request and limit, in MiB.
const REQUEST: u64 = 64;
const LIMIT: u64 = 256;
/// Servers, with the default plugins.
const SERVERS: usize = 1000;

/// The group counts what a kubelet counts: of all processes, also of the one that compiles.
pub(crate) async fn run(full: bool) -> Result<()> {
    println!("{}", machine::facts());
    println!(
        "| in {LIMIT} MiB | working set | peak, with files | out of memory |\n|---|---|---|---|"
    );
    let group = MemoryGroup::new("bench-memory", LIMIT << 10)?.context("no control group")?;
    let mut rig = Rig::start_within(Some(&group)).await?;
    report("no servers, everything compiled just now", &mut rig, &group)?;
    grow(&mut rig, &group, SERVERS).await?;
    if full {
        grow(&mut rig, &group, MOST).await?;
    }
    drop(rig);
    Ok(())
}

/// Adds servers until there are so many, and starts it again with them.
async fn grow(rig: &mut Rig, group: &MemoryGroup, servers: usize) -> Result<()> {
    let more = rig.batch(servers.saturating_sub(rig.servers())).await?;
    rig.operate(&more).await?;
    rig.settle(&more).await?;
    rig.writes_have_ended()?;
    let at_rest = report(&format!("{servers} servers"), rig, group)?;
    rig.restart_operator()?;
    rig.writes_have_ended()?;
    report(&format!("{servers} servers, restarted"), rig, group)?;
    rig.restart_operator_afresh()?;
    rig.writes_have_ended()?;
    let what = format!("{servers} servers, restarted with nothing compiled");
    report(&what, rig, group)?;
    let is_within = at_rest <= REQUEST << 20;
    println!(
        "{servers} servers at rest are {} the request of {REQUEST} MiB",
        if is_within { "within" } else { "above" }
    );
    Ok(())
}

/// Prints what it has, and gives the working set in bytes.
fn report(when: &str, rig: &mut Rig, group: &MemoryGroup) -> Result<u64> {
    let usage = group.usage()?;
    println!(
        "| {when} | {} MiB | {} MiB | {} |",
        usage.working_set >> 20,
        usage.peak >> 20,
        usage.failures
    );
    ensure!(
        rig.is_running() && usage.failures == 0,
        "{when}: {LIMIT} MiB are not enough"
    );
    group.forget_peak();
    Ok(usage.working_set)
}
