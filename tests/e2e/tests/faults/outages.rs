//! The API server and its store go away and come back.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::Component;
use mcp_e2e::{Operator, Request, creations, eventually};

use crate::world::{RECOVERY, World};

const SERVERS: usize = 40;

/// Servers of a burst that is cut off: applying them takes longer than a test needs to look.
const BURST: usize = 100;

/// Objects of a server (account, ConfigMap, Service, budget, Deployment), its status on the way from nothing to ready,
/// and events about it: more writes than this for each server would be a storm.
const WRITES_PER_SERVER: usize = 20;

/// Lists and watches of one kind, in a test that cuts every link some twenty times. An object is looked at by itself only
/// where one is in the way.
const READS_PER_KIND: usize = 80;

#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn the_api_server_is_killed_in_the_middle_of_a_burst() -> Result<()> {
    let mut world = World::start("api-server-killed")?;
    let _operator = Operator::start(&world.own.environment, "api-server-killed")?;
    let burst = world.apply_meanwhile(BURST);
    let made = begun(&world)?;
    world.own.servers.kill(Component::ApiServer)?;
    ensure!(made < BURST, "the burst was over: {made} of {BURST}");
    sleep(Duration::from_secs(20));
    world.own.servers.restart(Component::ApiServer)?;
    ensure!(burst.join().is_ok(), "the burst panicked");
    the_rest_is_taken(&world)?;
    world.converged(BURST)?;
    once_and_without_a_storm(&world.settled()?, BURST)
}

#[test]
fn the_store_is_away_for_a_while() -> Result<()> {
    let mut world = World::start("etcd-away")?;
    let _operator = Operator::start(&world.own.environment, "etcd-away")?;
    world.apply(SERVERS / 2)?;
    world.converged(SERVERS / 2)?;
    world.own.servers.kill(Component::Etcd)?;
    sleep(Duration::from_secs(10));
    world.own.servers.restart(Component::Etcd)?;
    eventually("servers are taken again", RECOVERY, || world.apply(SERVERS))?;
    world.converged(SERVERS)?;
    once_and_without_a_storm(&world.settled()?, SERVERS)
}

/// What waits for the store waits on, and what was half done is done.
#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn the_store_goes_in_the_middle_of_a_burst() -> Result<()> {
    let mut world = World::start("etcd-burst")?;
    let _operator = Operator::start(&world.own.environment, "etcd-burst")?;
    let burst = world.apply_meanwhile(BURST);
    let made = begun(&world)?;
    world.own.servers.kill(Component::Etcd)?;
    ensure!(made < BURST, "the burst was over: {made} of {BURST}");
    sleep(Duration::from_secs(10));
    world.own.servers.restart(Component::Etcd)?;
    ensure!(burst.join().is_ok(), "the burst panicked");
    the_rest_is_taken(&world)?;
    // The simulated kubelet forgets a pod whose status it could not write, until the pod changes.
    world.kubectl().run(&[
        "annotate",
        "pods",
        "--all",
        "--namespace=servers",
        "look=again",
    ])?;
    world.converged(BURST)?;
    once_and_without_a_storm(&world.settled()?, BURST)
}

fn the_rest_is_taken(world: &World) -> Result<()> {
    eventually("servers are taken again", RECOVERY, || world.apply(BURST))
}

/// Waits until some Deployments are there, and says how many.
fn begun(world: &World) -> Result<usize> {
    eventually("the work has begun", RECOVERY, || {
        let made = world.count("deployments")?;
        ensure!(made > 2);
        Ok(made)
    })
}

/// Nothing was made twice, and nothing was written again and again, for so many servers.
pub(crate) fn once_and_without_a_storm(requests: &[Request], servers: usize) -> Result<()> {
    for (object, times) in creations(requests) {
        // Every event is an object of its own.
        ensure!(
            times == 1 || object.starts_with("events"),
            "{object} was created {times} times"
        );
    }
    let mut reads = BTreeMap::<String, usize>::new();
    for request in requests.iter().filter(|request| !request.is_write()) {
        // Of some kinds several objects are watched, each by its name and on its own.
        let watched = match request.verb.as_str() {
            "watch" => request.object.as_str(),
            _ => "",
        };
        let kind = format!("{} {} {watched}", request.verb, request.resource);
        *reads.entry(kind).or_default() += 1;
    }
    for (kind, times) in reads {
        ensure!(times <= READS_PER_KIND + servers, "{times} times {kind}");
    }
    let writes = requests.iter().filter(|request| request.is_write()).count();
    ensure!(
        writes <= servers * WRITES_PER_SERVER,
        "{writes} writes for {servers} servers"
    );
    Ok(())
}
