//! The links to the API server break, while it is well itself.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, Proxy, eventually};

use crate::outages::once_and_without_a_storm;
use crate::world::{RECOVERY, World};

const SERVERS: usize = 20;

#[test]
fn links_are_cut_all_through_a_burst() -> Result<()> {
    let mut world = World::start("links-cut")?;
    let proxy = Proxy::start(world.kubectl().kubeconfig(), &world.own.environment.logs)?;
    let _operator = Operator::start_as(&world.own.environment, "links-cut", proxy.kubeconfig())?;
    world.apply(SERVERS)?;
    let (began, mut cut) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(15) {
        cut += proxy.cut();
        sleep(Duration::from_millis(700));
    }
    ensure!(cut > 20, "only {cut} links were cut");
    world.converged(SERVERS)?;
    once_and_without_a_storm(&world.settled()?, SERVERS)
}

/// A firewall forgets connections: they do not end, and nothing comes any more.
#[test]
fn a_silent_link_is_given_up() -> Result<()> {
    let mut world = World::start("links-silent")?;
    let proxy = Proxy::start(world.kubectl().kubeconfig(), &world.own.environment.logs)?;
    let _operator = Operator::start_with(
        &world.own.environment,
        "links-silent",
        proxy.kubeconfig(),
        &["--api-silence-seconds", "5"],
    )?;
    world.apply(SERVERS / 2)?;
    world.converged(SERVERS / 2)?;
    proxy.freeze();
    world.apply(SERVERS)?;
    world.converged(SERVERS)?;
    once_and_without_a_storm(&world.settled()?, SERVERS)
}

/// Without its own memory of the past, the API server answers a watch that comes too late with 410 Gone.
#[test]
fn a_past_that_is_gone_is_listed_anew() -> Result<()> {
    let forgetful = ["--watch-cache=false", "--etcd-compaction-interval=2s"];
    let mut world = World::start_with("past-gone", &forgetful)?;
    let proxy = Proxy::start(world.kubectl().kubeconfig(), &world.own.environment.logs)?;
    let operator = Operator::start_as(&world.own.environment, "past-gone", proxy.kubeconfig())?;
    world.apply(SERVERS)?;
    world.converged(SERVERS)?;
    proxy.refuse(true);
    proxy.cut();
    world.delete("mcpserver", "s-0")?;
    world.delete("service", "mcp-s-1")?;
    world.delete("mcpserver", "s-2")?;
    // One that comes back under the same name, and one that is new.
    world.apply_some(2..3)?;
    world.apply_some(SERVERS..SERVERS + 1)?;
    sleep(Duration::from_secs(10));
    proxy.refuse(false);
    eventually("everything is as it should be", RECOVERY, || {
        world.converged(SERVERS)
    })?;
    let log = fs::read_to_string(operator.log())?;
    ensure!(log.contains("Expired"), "no watch came too late");
    let mut requests = world.settled()?;
    // These were made twice, since they were deleted.
    requests.retain(|request| {
        !["s-1", "s-2"]
            .iter()
            .any(|name| request.object.ends_with(name))
    });
    once_and_without_a_storm(&requests, SERVERS)
}
