//! What a team with rights on MCPServers alone might try, beside another team that works.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::team::Team;
use crate::world::{SOON, World};

/// A neighbour's Service finds its pods by a label that the team may write.
#[test]
fn a_label_draws_no_traffic_of_another_service() -> Result<()> {
    let team = Team::new("attack-labels")?;
    let namespace = &team.world.namespace;
    let service = |name: &str, selector: Value| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": namespace },
            "spec": { "selector": selector, "ports": [{ "port": 80 }] },
        })
    };
    let theirs = service("payments-api", json!({ "app": "payments-api" }));
    // One that does find the pods shows when endpoints are up to date.
    let control = service("control", json!({ "app.kubernetes.io/instance": "a" }));
    for service in [theirs, control] {
        team.world.kubectl.apply(&service.to_string())?;
    }
    let mut server = team.world.server("a", json!({}));
    server["metadata"]["labels"] =
        json!({ "app": "payments-api", "azure.workload.identity/use": "true" });
    team.run(&["apply", "--filename", "-"], &server.to_string())?;
    team.world.deployed("a")?;
    let endpoints = |service: &str| -> Result<usize> {
        let selector = format!("--selector=kubernetes.io/service-name={service}");
        let slices = ["get", "endpointslices", "--namespace", namespace, &selector];
        let found = team.world.kubectl.json(&slices)?;
        let slices = found["items"].as_array().context("no list")?;
        let endpoints = slices
            .iter()
            .filter_map(|slice| slice["endpoints"].as_array());
        Ok(endpoints.map(Vec::len).sum())
    };
    eventually("the pods serve", SOON, || {
        ensure!(endpoints("control")? > 0);
        Ok(())
    })?;
    ensure!(endpoints("payments-api")? == 0);
    Ok(())
}

/// Each of them would be a way around the rules.
#[test]
fn a_team_writes_neither_rules_nor_statuses_nor_images_that_seem_to_be_others() -> Result<()> {
    let team = Team::new("attack-rights")?;
    team.apply(json!({}))?;
    let plugin = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": "attack" },
        "spec": { "source": { "builtin": "validation" }, "mode": "audit" },
    });
    let status = r#"{"status":{"conditions":[{"type":"Available","status":"True","reason":"a","lastTransitionTime":"9999-01-01T00:00:00Z"}]}}"#;
    let patch = [
        "patch",
        "mcpserver",
        "a",
        "--subresource=status",
        "--type=merge",
        "--patch",
        status,
    ];
    for (attempt, input) in [
        (&["create", "--filename", "-"][..], plugin.to_string()),
        (&patch[..], String::new()),
        (&["get", "secrets"][..], String::new()),
        (&["delete", "mcpplugin", "tenancy"][..], String::new()),
    ] {
        let error = team.run(attempt, &input).err().context("it was allowed")?;
        ensure!(error.to_string().contains("Forbidden"), "{error}");
    }
    for (image, field) in [
        (
            json!({ "repository": "ghcr.io", "tag": "5000/evil/img:latest" }),
            "spec.image.tag",
        ),
        (
            json!({ "repository": "ghcr.io:5000/evil@sha256:0", "tag": "1" }),
            "spec.image.repository",
        ),
    ] {
        let server = team.world.server("b", json!({ "image": image }));
        let error = team
            .run(&["create", "--filename", "-"], &server.to_string())
            .err();
        let error = error.context("it was accepted")?.to_string();
        ensure!(error.contains(field), "{error}");
    }
    Ok(())
}

/// Objects as large as they can be, over and over, while another team goes on with its work.
#[test]
fn large_objects_of_a_team_stop_no_other_team() -> Result<()> {
    let (team, other) = (
        Team::new("attack-size")?,
        World::new("attack-size-neighbour"),
    );
    let zeros = vec![0; 500_000];
    let server = team
        .world
        .server("a", json!({ "config": { "a": zeros } }))
        .to_string();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    // Whether it is refused for its size or for being too many at once does not matter.
                    let dry_run = ["create", "--dry-run=server", "--filename", "-"];
                    let _ = team.run(&dry_run, &server);
                }
            });
        }
        let applied = (0..10).try_for_each(|number| {
            let server = other.server(&format!("s-{number}"), json!({}));
            other.apply(&server).map(drop)
        });
        ended.store(true, Ordering::Relaxed);
        applied
    })?;
    other.deployed("s-9").map(drop)
}
