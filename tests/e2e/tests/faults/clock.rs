//! The wall clock steps while the operator works, as when a node's time is set right.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, ToSpan};
use mcp_e2e::{Clock, Operator, eventually};

use crate::outages::once_and_without_a_storm;
use crate::world::{RECOVERY, World};

const SERVERS: usize = 20;

#[test]
fn the_clock_steps_in_the_middle_of_a_burst() -> Result<()> {
    let mut world = World::start("clock")?;
    let folder = tempfile::tempdir()?;
    let clock = Clock::new(folder.path())?;
    let operator = Operator::start_by(&clock, &world.own.environment, "clock")?;
    let burst = world.apply_meanwhile(SERVERS);
    // Into the future, into the past, and right again.
    for offset in ["+26h", "-26h", "+0"] {
        sleep(Duration::from_secs(3));
        clock.step(offset)?;
    }
    ensure!(burst.join().is_ok(), "the burst panicked");
    eventually("all are there", RECOVERY, || world.converged(SERVERS))?;
    once_and_without_a_storm(&world.settled()?, SERVERS)?;

    // It works on in the past: nothing waits until the clock has caught up.
    let stepped = a_day_ago();
    clock.step("-26h")?;
    world.delete("service", "mcp-s-1")?;
    world.apply_some(SERVERS..SERVERS + 1)?;
    eventually("one more is there", RECOVERY, || {
        world.converged(SERVERS + 1)
    })?;
    let mut requests = world.settled()?;
    // Made twice, since it was deleted.
    requests.retain(|request| !request.object.ends_with("/mcp-s-1"));
    once_and_without_a_storm(&requests, SERVERS)?;

    // The library did what it should.
    let log = fs::read_to_string(operator.log())?;
    // An hour may have begun since.
    let hours = [stepped, a_day_ago()];
    log.lines()
        .find(|line| hours.iter().any(|hour| line.contains(hour)))
        .map(drop)
        .context("the operator's clock did not step")
}

/// The hour that a clock shows which went back by 26 hours, as a log writes it.
fn a_day_ago() -> String {
    let then = Timestamp::now() - 26.hours();
    then.strftime("%Y-%m-%dT%H").to_string()
}
