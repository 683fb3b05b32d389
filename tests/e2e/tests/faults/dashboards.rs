//! Grafana's dashboards, where an option has the operator keep them.

use std::fs;

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, eventually};
use serde_json::{Value, json};

use crate::quiet;
use crate::world::{RECOVERY, World};

const NAME: &str = "mcp-operator-grafana-dashboards";
const OPERATOR: &str = "--namespace=mcp-operator-system";
const ON: [&str; 1] = ["--grafana-dashboards"];

fn dashboards(world: &World) -> Result<Value> {
    world.kubectl().json(&["get", "configmap", NAME, OPERATOR])
}

/// Waits until Grafana's sidecar would find both.
fn found(world: &World) -> Result<()> {
    eventually("the dashboards are there", RECOVERY, || {
        let dashboards = dashboards(world)?;
        let label = &dashboards["metadata"]["labels"]["grafana_dashboard"];
        ensure!(label == "1", "{label}");
        for file in ["mcp-operator.json", "mcp-fleet.json"] {
            let text = dashboards["data"][file].as_str().unwrap_or_default();
            let dashboard: Value = serde_json::from_str(text)?;
            ensure!(dashboard["panels"][0]["title"].is_string(), "{dashboard}");
        }
        Ok(())
    })
}

#[test]
fn dashboards_are_kept_where_the_option_wants_them_and_deleted_where_not() -> Result<()> {
    let mut world = World::start("dashboards")?;
    let kubectl = world.kubectl().clone();
    let environment = world.own.environment.clone();
    let mut operator = Operator::start_told(&environment, "dashboards", &ON, &[])?;
    found(&world)?;
    world.settled()?;
    quiet::nothing_is_written(&mut world, "while nothing changes")?;
    operator.kill();
    operator = Operator::start_told(&environment, "dashboards-again", &ON, &[])?;
    world.settled()?;
    quiet::nothing_is_written(&mut world, "after a restart")?;

    kubectl.run(&["delete", "configmap", NAME, OPERATOR])?;
    found(&world)?;
    let empty = r#"{"data": {"mcp-fleet.json": null}}"#;
    kubectl.run(&["patch", "configmap", NAME, OPERATOR, "--patch", empty])?;
    found(&world)?;

    operator.kill();
    operator = Operator::start(&environment, "dashboards-off")?;
    eventually("they are gone", RECOVERY, || {
        ensure!(dashboards(&world).is_err(), "they are still there");
        Ok(())
    })?;
    operator.kill();

    // Somebody else's of that name.
    let foreign = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": NAME, "namespace": "mcp-operator-system" }, "data": { "a": "b" },
    });
    kubectl.apply(&foreign.to_string())?;
    let before = dashboards(&world)?;
    let on = Operator::start_told(&environment, "dashboards-foreign", &ON, &[])?;
    eventually("it is told", RECOVERY, || {
        let log = fs::read_to_string(on.log())?;
        ensure!(
            log.contains("somebody else's, where the dashboards"),
            "{log}"
        );
        Ok(())
    })?;
    ensure!(dashboards(&world)? == before);
    Ok(())
}
