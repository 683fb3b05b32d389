//! One registrar takes over from another, and the one before leaves nothing behind.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::repository;
use mcp_e2e::{Operator, eventually, holds_for};
use serde_json::{Value, json};

use crate::world::{NAMESPACE, SOON, World};

fn names() -> Vec<String> {
    ["a", "b"].map(str::to_owned).into()
}

/// All servers are in the registrar's list, and nowhere else.
fn own_list_only(world: &World) -> Result<()> {
    for name in names() {
        world.registered(&name, "Listed")?;
    }
    let list = world.key(NAMESPACE, "gateway", "servers.json")?;
    ensure!(
        list.contains("servers/a") && list.contains("servers/b"),
        "{list}"
    );
    let left = world.file()?;
    ensure!(left == "{}\n", "{left}");
    Ok(())
}

/// All servers are in LiteLLM's file, and nowhere else.
fn file_only(world: &World) -> Result<()> {
    for name in names() {
        world.registered(&name, "Registered")?;
    }
    let file = world.file()?;
    ensure!(
        file.contains("servers_a:") && file.contains("servers_b:"),
        "{file}"
    );
    let left = world
        .key(NAMESPACE, "gateway", "servers.json")
        .unwrap_or_default();
    ensure!(left.is_empty(), "{left}");
    Ok(())
}

#[test]
fn a_strategy_of_ones_own_takes_over_and_back_and_nothing_is_left_behind() -> Result<()> {
    let mut world = World::start("succession")?;
    let _operator = Operator::start(&world.own.environment, "succession")?;
    world.apply_servers(&names())?;
    file_only(&world)?;
    world.registrar_is("litellm-configmap", "True", "InForce")?;

    let mut own = world.own_registrar()?;
    own["priority"] = json!(10);
    world.apply_plugin("own", &own)?;
    own_list_only(&world)?;
    world.registrar_is("own", "True", "InForce")?;
    let message = world.registrar_is("litellm-configmap", "False", "Standby")?;
    assert_eq!(message, "MCPServers are registered by own");
    // Nobody is told to come before the other has left: LiteLLM was rolled to forget.
    for reason in [
        "RegistrarTakingOver",
        "RegistrarLeaving",
        "RegistrarInForce",
    ] {
        eventually("it is told", SOON, || {
            let events = ["get", "events", "--output=jsonpath={.items[*].reason}"];
            let events = world.kubectl().run(&events)?;
            ensure!(events.contains(reason), "{reason} in {events}");
            Ok(())
        })?;
    }

    world.kubectl().run(&["delete", "mcpplugin", "own"])?;
    file_only(&world)?;

    // And again changes nothing.
    let before = world.rollouts()?;
    world.own.audit.settled(|_| true)?;
    holds_for("quiet", Duration::from_secs(5), || {
        ensure!(world.rollouts()? == before);
        Ok(())
    })?;
    let requests = world.own.audit.requests()?;
    let writes: Vec<_> = requests
        .iter()
        .filter(|request| request.is_write())
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    Ok(())
}

/// The MCPPlugin itself says something else, and nobody was there to see it.
#[test]
fn a_swap_while_the_operator_was_down_leaves_nothing_behind() -> Result<()> {
    let world = World::start("succession-down")?;
    let mut operator = Operator::start(&world.own.environment, "succession-down")?;
    world.apply_servers(&names())?;
    file_only(&world)?;
    operator.kill();
    let mut own = world.own_registrar()?;
    own["source"]["builtin"] = Value::Null;
    world.change_plugin("litellm-configmap", &own)?;
    let mut operator = Operator::start(&world.own.environment, "succession-again")?;
    own_list_only(&world)?;

    // Killed again, in the middle of the way back.
    let grants = json!([{ "namespace": "litellm", "name": "litellm-mcp-servers", "writeKeys": ["mcp_servers.yaml"] }]);
    let back = json!({
        "source": { "builtin": "litellm-configmap", "configMap": null }, "settings": null, "grants": { "configMaps": grants },
    });
    world.change_plugin("litellm-configmap", &back)?;
    eventually("the way back has begun", SOON, || {
        let record = world.key(
            "mcp-operator-system",
            "mcp-operator-registry",
            "registrars.json",
        )?;
        ensure!(
            record.contains(r#""builtin":"litellm-configmap""#),
            "{record}"
        );
        Ok(())
    })?;
    operator.kill();
    let _operator = Operator::start(&world.own.environment, "succession-at-last")?;
    file_only(&world)
}

#[test]
fn nobody_takes_over_who_could_not_register() -> Result<()> {
    let world = World::start("succession-waits")?;
    let _operator = Operator::start(&world.own.environment, "succession-waits")?;
    world.apply_servers(&names())?;
    file_only(&world)?;
    let overlay = repository().join("deploy/overlays/litellm-admin-api");
    world
        .kubectl()
        .run(&["kustomize", &overlay.to_string_lossy()])?;
    let registrar = overlay.join("registrar.yaml");
    let dry_run = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--filename",
        &registrar.to_string_lossy(),
    ];
    world.kubectl().run(&dry_run)?;
    let mut api = json!({
        "source": { "builtin": "litellm-admin-api" }, "priority": 10,
        "connections": [{
            "name": "litellm", "baseUrl": "http://127.0.0.1:9",
            "auth": { "secretKeyRef": { "name": "litellm-mcp-operator", "key": "token" } },
        }],
    });
    world.apply_plugin("api", &api)?;
    let message = world.registrar_is("api", "Unknown", "TakingOver")?;
    assert_eq!(
        message,
        "Waits, and litellm-configmap registers meanwhile: connection litellm: there is no Secret \
         litellm-mcp-operator in the operator's namespace mcp-operator-system: create it there, or correct spec.connections"
    );
    // A Secret that comes is noticed; the message never holds what is in it.
    let secret = [
        "create",
        "secret",
        "generic",
        "litellm-mcp-operator",
        "--namespace=mcp-operator-system",
        "--from-literal=token=sk-hidden",
    ];
    world.kubectl().run(&secret)?;
    eventually("the connection is tried", SOON, || {
        let message = world.registrar_is("api", "Unknown", "TakingOver")?;
        ensure!(
            message.contains("http://127.0.0.1:9/ cannot be reached"),
            "{message}"
        );
        ensure!(!message.contains("sk-hidden"), "{message}");
        Ok(())
    })?;
    world.apply_servers(&["c".into()])?;
    world.registered("c", "Registered")?;
    ensure!(world.file()?.contains("servers_c:"));

    // What cannot be a connection at all is told on the MCPPlugin, before anybody is asked.
    api["connections"][0]["baseUrl"] = json!("http://name:word@127.0.0.1:9");
    world.apply_plugin("api", &api)?;
    eventually("it is refused", SOON, || {
        let found = world.kubectl().json(&["get", "mcpplugin", "api"])?;
        let ready = crate::world::condition(&found, "Ready");
        ensure!(ready["reason"] == "InvalidConnection", "{ready}");
        Ok(())
    })
}
