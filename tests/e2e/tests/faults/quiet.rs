//! Nothing to do: nothing is written.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::Definitions;
use mcp_e2e::{Operator, Request, eventually, install_definition};
use serde_json::json;

use crate::world::{RECOVERY, World};

/// How long nothing may be written: longer than the operator waits before it writes, and than a change needs to be judged.
const QUIET: Duration = Duration::from_secs(15);

const SERVERS: usize = 50;

/// The audit log, not a look at objects: a write that changes nothing is a write.
#[test]
fn nothing_is_written_where_nothing_changes_nor_after_a_restart() -> Result<()> {
    let mut world = World::start("quiet")?;
    let mut operator = Operator::start(&world.own.environment, "quiet")?;
    world.apply(SERVERS)?;
    world.converged(SERVERS)?;
    eventually("the registry has spoken about all", RECOVERY, || {
        let count = world.conditions("LiteLLMRegistered", "status")?.len();
        ensure!(count == SERVERS, "{count}");
        Ok(())
    })?;
    ensure!(
        world.settled()?.iter().any(Request::is_write),
        "the audit log shows nothing of the operator"
    );
    nothing_is_written(&mut world, "in quiet")?;
    operator.kill();
    let _operator = Operator::start(&world.own.environment, "quiet-again")?;
    nothing_is_written(&mut world, "after a restart")
}

/// Every kind that there is, and a registration.
#[test]
fn nothing_is_written_for_a_server_with_everything() -> Result<()> {
    let mut world = World::start("quiet-everything")?;
    let definitions = Definitions::fetch()?;
    let optional = [
        &definitions.external_secrets,
        &definitions.service_monitors,
        &definitions.reports,
    ];
    for definition in optional {
        install_definition(world.kubectl(), definition)?;
    }
    world.gateway()?;
    let mut operator = Operator::start(&world.own.environment, "quiet-everything")?;
    world.apply_with(
        0..1,
        &json!({
            "litellm": { "autoRegister": true }, "networkPolicy": { "enabled": true },
            "autoscaling": { "minReplicas": 2, "maxReplicas": 4 },
            "secrets": [
                { "name": "token", "awsSecretKey": "servers/token" }, { "name": "extra", "awsSecretKey": "servers/extra", "optional": true },
            ],
            "observability": { "metrics": { "enabled": true, "port": 9090 }, "tracing": { "enabled": true, "jaegerEndpoint": "http://otel:4317" } },
        }),
    )?;
    for kind in [
        "serviceaccount",
        "service",
        "poddisruptionbudget",
        "networkpolicy",
        "servicemonitor",
        "deployment",
        "horizontalpodautoscaler",
    ] {
        eventually(kind, RECOVERY, || world.get(kind, "mcp-s-0"))?;
    }
    eventually("its configuration", RECOVERY, || {
        ensure!(world.count("configmaps")? == 1);
        Ok(())
    })?;
    for name in ["mcp-s-0-secrets", "mcp-s-0-secrets-extra"] {
        eventually(name, RECOVERY, || world.get("externalsecret", name))?;
    }
    eventually("it is registered", RECOVERY, || {
        let registered = world.condition("LiteLLMRegistered")?;
        ensure!(registered["status"] == "True", "{registered}");
        Ok(())
    })?;
    // The autoscaler is somebody else, and not always quick.
    eventually("as many pods run as the autoscaler wants", RECOVERY, || {
        let status = &world.get("mcpserver", "s-0")?["status"];
        ensure!(status["ready"] == "2/2", "{status}");
        Ok(())
    })?;
    // Nobody measures anything here, which the autoscaler says some time later.
    eventually("the autoscaler's trouble is told", RECOVERY, || {
        world.condition("AutoscalingActive")
    })?;
    world.settled()?;
    nothing_is_written(&mut world, "in quiet")?;
    operator.kill();
    let _operator = Operator::start(&world.own.environment, "quiet-everything-again")?;
    nothing_is_written(&mut world, "after a restart")
}

/// Not even what changes nothing.
pub(crate) fn nothing_is_written(world: &mut World, when: &str) -> Result<()> {
    sleep(QUIET);
    let requests = world.own.audit.requests()?;
    // In these tests the operator listens elsewhere each time: that must be written.
    let writes: Vec<&Request> = requests
        .iter()
        .filter(|request| request.is_write() && !request.is_about_webhook())
        .collect();
    ensure!(writes.is_empty(), "{when}: {writes:?}");
    Ok(())
}
