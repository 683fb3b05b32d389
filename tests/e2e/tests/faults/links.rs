//! The links to the API server break, while it is well itself.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, Proxy};

use crate::outages::once_and_without_a_storm;
use crate::world::World;

const SERVERS: usize = 20;

#[test]
fn links_are_cut_all_through_a_burst() -> Result<()> {
    let mut world = World::start("links-cut")?;
    let proxy = Proxy::start(world.kubectl().kubeconfig(), &world.own.environment.logs)?;
    let _operator = Operator::start_at(&world.own.environment, "links-cut", proxy.kubeconfig())?;
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
