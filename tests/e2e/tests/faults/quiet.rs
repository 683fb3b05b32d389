//! Nothing to do: nothing is written.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, Request};

use crate::world::World;

const SERVERS: usize = 50;

/// The audit log, not a look at objects: a write that changes nothing is a write.
#[test]
fn nothing_is_written_where_nothing_changes_nor_after_a_restart() -> Result<()> {
    let mut world = World::start("quiet")?;
    let mut operator = Operator::start(&world.environment, "quiet")?;
    world.apply(SERVERS)?;
    world.converged(SERVERS)?;
    ensure!(
        world.settled()?.iter().any(Request::is_write),
        "the audit log shows nothing of the operator"
    );
    nothing_is_written(&mut world, "in quiet")?;
    operator.kill();
    let _operator = Operator::start(&world.environment, "quiet-again")?;
    nothing_is_written(&mut world, "after a restart")
}

fn nothing_is_written(world: &mut World, when: &str) -> Result<()> {
    sleep(Duration::from_secs(15));
    let requests = world.audit.requests()?;
    // In these tests the operator listens elsewhere each time: that must be written.
    let must = |request: &&Request| request.resource.ends_with("webhookconfigurations");
    let writes: Vec<&Request> = requests
        .iter()
        .filter(|request| request.is_write() && !must(request))
        .collect();
    ensure!(writes.is_empty(), "{when}: {writes:?}");
    Ok(())
}
