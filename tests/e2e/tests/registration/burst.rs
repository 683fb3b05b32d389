//! Many servers at once.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::Component;
use mcp_e2e::{Operator, Request, eventually, holds_for};

use crate::world::{SOON, World};

const SERVERS: usize = 150;

/// Writes of what LiteLLM is told, and of its Deployment, since the last call and until there are no more.
fn writes(world: &mut World) -> Result<(usize, usize)> {
    let requests = world.own.audit.settled(|_| true)?;
    let of = |resource: &str, object: &str| {
        let is = |request: &&Request| {
            request.is_write()
                && request.code < 300
                && request.resource == resource
                && request.object == object
        };
        requests.iter().filter(is).count()
    };
    Ok((
        of("configmaps", "litellm/litellm-mcp-servers"),
        of("deployments", "litellm/litellm-proxy"),
    ))
}

/// Waits until the file is there that LiteLLM does not start without.
fn litellm_can_start(world: &World) -> Result<()> {
    eventually("LiteLLM can start", SOON, || {
        ensure!(world.file()? == "{}\n");
        Ok(())
    })
}

/// As the operator is shipped: with its own time for which changes are collected.
#[test]
fn a_burst_is_one_write_and_one_rollout() -> Result<()> {
    let mut world = World::start("burst")?;
    let _operator = Operator::start_as_shipped(&world.own.environment, "burst")?;
    litellm_can_start(&world)?;
    writes(&mut world)?;
    let names: Vec<String> = (0..SERVERS).map(|number| format!("s-{number}")).collect();
    world.apply_servers(&names)?;
    for name in &names {
        world.registered(name, "Registered")?;
    }
    assert_eq!(writes(&mut world)?, (1, 1));
    Ok(())
}

/// An operator in a cluster whose kubelet is the test: pods serve when it says so.
fn without_kubelet(world: &mut World, name: &str, arrival: &str) -> Result<Operator> {
    let options = [
        "--registry-debounce-milliseconds",
        "200",
        "--registry-arrival-seconds",
        arrival,
    ];
    let kubeconfig = world.kubectl().kubeconfig().to_owned();
    let operator = Operator::start_with(&world.own.environment, name, &kubeconfig, &options)?;
    litellm_can_start(world)?;
    world.own.servers.kill(Component::Kwok)?;
    Ok(operator)
}

/// What is applied together is one change, although its pods serve one after the other.
#[test]
fn a_server_on_its_way_is_waited_for() -> Result<()> {
    let mut world = World::start("burst-slow")?;
    let _operator = without_kubelet(&mut world, "burst-slow", "600")?;
    writes(&mut world)?;
    let names = ["early", "late"].map(str::to_owned);
    world.apply_servers(&names)?;
    world.set_serving("early", true)?;
    world.is("early", "Available", "True", "PodsServe")?;
    holds_for("nothing is written", Duration::from_secs(3), || {
        ensure!(world.file()? == "{}\n");
        Ok(())
    })?;
    world.set_serving("late", true)?;
    world.own.servers.restart(Component::Kwok)?;
    for name in &names {
        world.registered(name, "Registered")?;
    }
    assert_eq!(writes(&mut world)?, (1, 1));
    Ok(())
}

#[test]
fn a_server_that_does_not_come_is_not_waited_for() -> Result<()> {
    let mut world = World::start("burst-never")?;
    let _operator = without_kubelet(&mut world, "burst-never", "3")?;
    world.apply_servers(&["early", "never"].map(str::to_owned))?;
    world.set_serving("early", true)?;
    eventually("early is written", SOON, || {
        ensure!(world.file()?.contains("servers_early:"));
        Ok(())
    })
}
