//! Servers whose pods come and go.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, holds_for};

use crate::world::World;

#[test]
fn a_server_that_comes_and_goes_leaves_once_and_comes_back_when_it_stays() -> Result<()> {
    let world = World::start("flapping")?;
    let options = [
        "--registry-debounce-milliseconds",
        "200",
        "--registry-grace-seconds",
        "5",
        "--registry-return-seconds",
        "40",
    ];
    let kubeconfig = world.kubectl().kubeconfig().to_owned();
    let _operator =
        Operator::start_with(&world.own.environment, "flapping", &kubeconfig, &options)?;
    world.apply_servers(&["a".to_owned()])?;
    world.registered("a", "Registered")?;
    let known = || Ok::<_, anyhow::Error>(world.file()?.contains("servers_a:"));

    // A pause within the grace period is nobody's business.
    world.set_serving("a", false)?;
    world.is("a", "Available", "False", "NoPodServes")?;
    world.set_serving("a", true)?;
    world.is("a", "Available", "True", "PodsServe")?;
    world.registered("a", "Registered")?;
    ensure!(known()?);

    world.set_serving("a", false)?;
    world.is("a", "LiteLLMRegistered", "False", "NotRegistered")?;
    ensure!(!known()?);
    let rolled = world.rollouts()?;
    for _ in 0..3 {
        world.set_serving("a", true)?;
        world.is("a", "Available", "True", "PodsServe")?;
        holds_for("it stays out", Duration::from_secs(4), || {
            ensure!(!known()?);
            Ok(())
        })?;
        world.set_serving("a", false)?;
        world.is("a", "Available", "False", "NoPodServes")?;
        holds_for("it stays out", Duration::from_secs(6), || {
            ensure!(!known()?);
            Ok(())
        })?;
    }
    ensure!(world.rollouts()? == rolled);

    world.set_serving("a", true)?;
    world.registered("a", "Registered")?;
    ensure!(known()? && world.rollouts()? == rolled + 1);
    Ok(())
}
