//! Carries a schedule out, and has it judged.

use std::env;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use jiff::Timestamp;
use mcp_chaos::referee::{CONVERGENCE, Ended, REST};
use mcp_chaos::{Extent, Fault, Kind, Lane, Schedule};
use mcp_e2e::holds_for;

use crate::api_server::ApiServerFaults;
use crate::gateway::gateway_fault;
use crate::objects::ObjectFaults;
use crate::replicas::Replicas;
use crate::users::Users;
use crate::world::World;

/// Which schedule; `cargo xtask chaos` sets them.
const SEED: &str = "MCP_CHAOS_SEED";
const FAULTS: &str = "MCP_CHAOS_FAULTS";
const MINUTES: &str = "MCP_CHAOS_MINUTES";
/// Only these kinds, with commas between them.
const ONLY: &str = "MCP_CHAOS_ONLY";
/// How many users have MCPServers judged at once.
const ASKERS: &str = "MCP_CHAOS_ASKERS";
/// Where nobody says how many: what fits into a minute and a half.
const FEW: usize = 12;
const FEW_ASKERS: u64 = 2;
/// Of what the referee has to know what is stored in the end.
const STORED: &str = "mcpservers,serviceaccounts,services,deployments,configmaps";

fn number(variable: &str) -> Result<Option<u64>> {
    match env::var(variable) {
        Ok(number) => number
            .parse()
            .map(Some)
            .with_context(|| format!("{variable} is no number: {number}")),
        Err(_) => Ok(None),
    }
}

fn schedule() -> Result<Schedule> {
    let faults = number(FAULTS)?.map_or(Ok(FEW), usize::try_from)?;
    let extent = number(MINUTES)?.map_or(Extent::Faults(faults), Extent::Minutes);
    let seed = number(SEED)?.unwrap_or(1);
    let Ok(only) = env::var(ONLY) else {
        return Ok(Schedule::of(seed, extent));
    };
    let kinds = only
        .split(',')
        .map(Kind::named)
        .collect::<Result<Vec<_>>>()?;
    Ok(Schedule::of_kinds(seed, extent, &kinds))
}

/// The faults of one lane, one after the other.
fn carry_out(
    schedule: &Schedule,
    lane: Lane,
    mut fault: impl FnMut(&Fault) -> Result<()>,
) -> Result<()> {
    for planned in schedule.lane(lane) {
        thread::sleep(Duration::from_millis(planned.pause));
        eprintln!(
            "{} {:>3} {:?}",
            Timestamp::now(),
            planned.number,
            planned.kind
        );
        fault(planned).with_context(|| format!("fault {} ({:?})", planned.number, planned.kind))?;
        eprintln!("{} {:>3} is over", Timestamp::now(), planned.number);
    }
    Ok(())
}

#[test]
fn whatever_breaks_is_mended_and_nobody_was_harmed() -> Result<()> {
    let schedule = schedule()?;
    eprintln!("{schedule}");
    let World {
        mut own,
        litellm,
        service,
        folder: _folder,
    } = World::start()?;
    let environment = own.environment.clone();
    let kubectl = own.kubectl().clone();
    let mut replicas = Replicas::start(&environment, &service)?;
    let objects = ObjectFaults::start(&environment)?;
    let users = Users::start(&kubectl, number(ASKERS)?.unwrap_or(FEW_ASKERS))?;
    let ways = replicas.ways();
    let began = Timestamp::now();
    let happened = thread::scope(|scope| {
        let (schedule, users, ways) = (&schedule, &users, &ways);
        let mut api_server = ApiServerFaults::new(&mut own.servers, ways);
        let replicas = &mut replicas;
        let litellm = &litellm;
        let objects = &objects;
        let lanes = [
            scope
                .spawn(move || carry_out(schedule, Lane::Replicas, |fault| replicas.suffer(fault))),
            scope.spawn(move || {
                carry_out(schedule, Lane::ApiServer, |fault| api_server.suffer(fault))
            }),
            scope.spawn(move || {
                carry_out(schedule, Lane::Objects, |fault| {
                    objects.suffer(fault, users)
                })
            }),
            scope.spawn(move || {
                carry_out(schedule, Lane::LiteLlm, |fault| {
                    gateway_fault(litellm, fault)
                })
            }),
        ];
        // All of them end, also after one has failed.
        let ended = lanes.map(|lane| {
            lane.join()
                .unwrap_or_else(|_| Err(anyhow!("a lane panicked")))
        });
        ended.into_iter().collect::<Result<Vec<()>>>()
    });
    happened?;
    let changed = users.settle()?;
    let ended = Ended {
        begin: began,
        end: Timestamp::now(),
        taken_away: replicas.taken_away(),
    };
    eprintln!(
        "{} faults in {} s; {changed} MCPServers in the end",
        schedule.faults.len(),
        ended.end.duration_since(began).as_secs()
    );
    let wait = (CONVERGENCE + REST + REST).unsigned_abs();
    holds_for("both replicas run", wait, || replicas.run())?;
    // For the audit log, which has the answer.
    kubectl.run(&[
        "get",
        STORED,
        "--all-namespaces",
        "--chunk-size=0",
        "--output=json",
    ])?;
    judge(&own.environment, &litellm.list().to_string(), &ended)
}

/// By a program of its own, which is given files and nothing else.
fn judge(environment: &mcp_e2e::Environment, list: &str, ended: &Ended) -> Result<()> {
    let audit = environment.audit.as_deref().context("no audit log")?;
    let files = [
        ("chaos-litellm.json", list.to_owned()),
        ("chaos-ended.json", serde_json::to_string(ended)?),
    ];
    let mut referee = Command::new(env!("CARGO_BIN_EXE_referee"));
    referee.arg(audit);
    for (name, content) in files {
        let file = environment.logs.join(name);
        fs::write(&file, content)?;
        referee.arg(file);
    }
    eprintln!("{referee:?}");
    let judged = referee.output()?;
    eprintln!(
        "{}{}",
        String::from_utf8_lossy(&judged.stdout),
        String::from_utf8_lossy(&judged.stderr)
    );
    ensure!(
        judged.status.success(),
        "the referee found what must not be"
    );
    Ok(())
}
