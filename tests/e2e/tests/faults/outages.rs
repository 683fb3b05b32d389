//! The API server and its store go away and come back.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::Component;
use mcp_e2e::{Operator, Request, creations, eventually};

use crate::world::{RECOVERY, World};

const SERVERS: usize = 40;

/// Objects of a server (account, ConfigMap, Service, budget, Deployment), its status on the way from nothing to ready,
/// and events about it: more writes than this for each server would be a storm.
const WRITES_PER_SERVER: usize = 20;

#[test]
fn the_api_server_is_killed_in_the_middle_of_a_burst() -> Result<()> {
    let mut world = World::start("api-server-killed")?;
    let _operator = Operator::start(&world.environment, "api-server-killed")?;
    world.apply(SERVERS)?;
    eventually("the work has begun", RECOVERY, || {
        ensure!(world.count("deployments")? > 2);
        Ok(())
    })?;
    world.cluster.kill(Component::ApiServer)?;
    sleep(Duration::from_secs(20));
    world.cluster.restart(Component::ApiServer)?;
    world.converged(SERVERS)?;
    once_and_without_a_storm(&world.settled()?, SERVERS)
}

#[test]
fn the_store_is_away_for_a_while() -> Result<()> {
    let mut world = World::start("etcd-away")?;
    let _operator = Operator::start(&world.environment, "etcd-away")?;
    world.apply(SERVERS / 2)?;
    world.converged(SERVERS / 2)?;
    world.cluster.kill(Component::Etcd)?;
    sleep(Duration::from_secs(10));
    world.cluster.restart(Component::Etcd)?;
    eventually("the API server takes servers again", RECOVERY, || {
        world.apply(SERVERS)
    })?;
    world.converged(SERVERS)?;
    once_and_without_a_storm(&world.settled()?, SERVERS)
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
    let writes = requests.iter().filter(|request| request.is_write()).count();
    ensure!(
        writes <= servers * WRITES_PER_SERVER,
        "{writes} writes for {servers} servers"
    );
    Ok(())
}
