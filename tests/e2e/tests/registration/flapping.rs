//! Servers whose pods come and go.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Operator, eventually, holds_for};
use serde_json::json;

use crate::world::{NAMESPACE, SOON, World, condition};

/// Makes the only pod of a server serve or not, as a kubelet would tell it.
fn set_serving(world: &World, server: &str, serves: bool) -> Result<()> {
    let selector = format!("--selector=mcp.litellm.ai/server={server}");
    let pods = world
        .kubectl()
        .json(&["get", "pods", "--namespace", NAMESPACE, &selector])?;
    let pod = pods["items"][0]["metadata"]["name"]
        .as_str()
        .context("no pod")?
        .to_owned();
    let status = if serves { "True" } else { "False" };
    let patch = json!({ "status": { "conditions": [{ "type": "Ready", "status": status }] } });
    world
        .kubectl()
        .run(&[
            "patch",
            "pod",
            &pod,
            "--namespace",
            NAMESPACE,
            "--subresource=status",
            "--type=strategic",
            "--patch",
            &patch.to_string(),
        ])
        .map(drop)
}

/// Waits until a condition of a server is this.
fn is(world: &World, kind: &str, status: &str, reason: &str) -> Result<()> {
    eventually(&format!("{kind} is {reason}"), SOON, || {
        let found = world
            .kubectl()
            .json(&["get", "mcpserver", "a", "--namespace", NAMESPACE])?;
        let found = condition(&found, kind);
        ensure!(
            found["status"] == status && found["reason"] == reason,
            "{found}"
        );
        Ok(())
    })
}

#[test]
fn a_server_that_comes_and_goes_leaves_once_and_comes_back_when_it_stays() -> Result<()> {
    let world = World::start("flapping")?;
    let options = [
        "--registry-debounce-milliseconds",
        "200",
        "--registry-grace-seconds",
        "5",
        "--registry-return-seconds",
        "15",
    ];
    let kubeconfig = world.kubectl().kubeconfig().to_owned();
    let _operator =
        Operator::start_with(&world.own.environment, "flapping", &kubeconfig, &options)?;
    world.apply_servers(&["a".to_owned()])?;
    world.registered("a", "Registered")?;
    let known = || Ok::<_, anyhow::Error>(world.file()?.contains("servers_a:"));

    // A pause within the grace period is nobody's business.
    set_serving(&world, "a", false)?;
    is(&world, "Available", "False", "NoPodServes")?;
    set_serving(&world, "a", true)?;
    is(&world, "Available", "True", "PodsServe")?;
    world.registered("a", "Registered")?;
    ensure!(known()?);

    set_serving(&world, "a", false)?;
    is(&world, "LiteLLMRegistered", "False", "NotRegistered")?;
    ensure!(!known()?);
    let rolled = world.rollouts()?;
    for _ in 0..3 {
        set_serving(&world, "a", true)?;
        is(&world, "Available", "True", "PodsServe")?;
        holds_for("it stays out", Duration::from_secs(4), || {
            ensure!(!known()?);
            Ok(())
        })?;
        set_serving(&world, "a", false)?;
        is(&world, "Available", "False", "NoPodServes")?;
        holds_for("it stays out", Duration::from_secs(6), || {
            ensure!(!known()?);
            Ok(())
        })?;
    }
    ensure!(world.rollouts()? == rolled);

    set_serving(&world, "a", true)?;
    world.registered("a", "Registered")?;
    ensure!(known()? && world.rollouts()? == rolled + 1);
    Ok(())
}
