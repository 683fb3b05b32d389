//! Admissions on a real node, so many each second, while replicas of the operator come and go.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "availability/installation.rs"]
mod installation;
#[path = "availability/load.rs"]
mod load;
#[path = "availability/replicas.rs"]
mod replicas;
#[path = "availability/report.rs"]
mod report;

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Environment, holds_for};

use crate::installation::Installation;
use crate::load::{Load, Phase};
use crate::replicas::{Replica, Replicas};

/// `cargo xtask availability` sets them.
const MINUTES: &str = "MCP_AVAILABILITY_MINUTES";
const RATE: &str = "MCP_AVAILABILITY_RATE";
/// How long nothing happens, to compare with.
const REST: Duration = Duration::from_secs(30);

fn number(variable: &str) -> Result<u32> {
    let number = env::var(variable).with_context(|| {
        format!("{variable} is not set: start this with `cargo xtask availability`")
    })?;
    number
        .parse()
        .with_context(|| format!("{variable} is no number: {number}"))
}

#[test]
fn no_admission_fails_while_replicas_come_and_go() -> Result<()> {
    let minutes = Duration::from_mins(number(MINUTES)?.into());
    let environment = Environment::open()?;
    let installation = Installation::start(&environment)?;
    let replicas = Replicas::of(&environment.kubectl);
    replicas.are_up()?;
    let load = Load::start(&environment.kubectl, number(RATE)?)?;
    let began = Instant::now();
    let mut round = 0;
    let ended = loop {
        round += 1;
        println!("round {round}");
        let ended = go_through(&installation, &replicas, &load);
        if ended.is_err() || began.elapsed() > minutes {
            break ended;
        }
    };
    let report = load.finish()?;
    println!("{report}");
    ended?;
    ensure!(
        report.failed_but_for(Phase::Killed) == 0,
        "admissions failed, the first of them: {}",
        report.first_failure().unwrap_or_default()
    );
    Ok(())
}

/// Everything that happens to replicas, one after the other.
fn go_through(installation: &Installation, replicas: &Replicas, load: &Load) -> Result<()> {
    load.begins(Phase::AtRest);
    holds_for("nothing happens", REST, || Ok(()))?;
    load.begins(Phase::Upgraded);
    installation.upgrade()?;
    replicas.are_up()?;
    load.begins(Phase::Restarted);
    replicas.restart()?;
    replicas.are_up()?;
    load.begins(Phase::Drained);
    replicas.drain()?;
    replicas.are_up()?;
    for replica in [Replica::Leader, Replica::Follower] {
        load.begins(Phase::Killed);
        replicas.kill(replica)?;
        replicas.are_up()?;
    }
    load.begins(Phase::RolledBack);
    installation.roll_back()?;
    replicas.are_up()
}
