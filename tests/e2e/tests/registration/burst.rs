//! Many servers at once.

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, Request};

use crate::world::World;

const SERVERS: usize = 150;

/// As the operator is shipped: with its own time for which changes are collected.
#[test]
fn a_burst_is_one_write_and_one_rollout() -> Result<()> {
    let mut world = World::start("burst")?;
    let _operator = Operator::start_as_shipped(&world.own.environment, "burst")?;
    // What the file begins with is written before.
    mcp_e2e::eventually("LiteLLM can start", crate::world::SOON, || {
        ensure!(world.file()? == "{}\n");
        Ok(())
    })?;
    world.own.audit.requests()?;
    let names: Vec<String> = (0..SERVERS).map(|number| format!("s-{number}")).collect();
    world.apply_servers(&names)?;
    for name in &names {
        world.registered(name, "Registered")?;
    }
    let requests = world.own.audit.requests()?;
    let writes = |resource: &str, object: &str| {
        let is = |request: &&Request| {
            request.is_write() && request.resource == resource && request.object == object
        };
        requests.iter().filter(is).count()
    };
    assert_eq!(writes("configmaps", "litellm/litellm-mcp-servers"), 1);
    assert_eq!(writes("deployments", "litellm/litellm-proxy"), 1);
    Ok(())
}
