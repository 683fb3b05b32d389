//! `kubectl mcp`, beside the cluster that it speaks of.

use std::os::unix::fs::symlink;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World, environment, operator};

/// Called as kubectl calls it: by its name.
fn ask(world: &World, question: &[&str]) -> Result<(String, Option<i32>)> {
    let folder = tempfile::tempdir()?;
    let plugin = folder.path().join("kubectl-mcp");
    symlink(&environment().artifacts.operator, &plugin)?;
    let output = Command::new(&plugin)
        .args(question)
        .args(["--namespace", &world.namespace])
        .env_clear()
        .env("KUBECONFIG", world.kubectl.kubeconfig())
        .output()?;
    let complaint = String::from_utf8(output.stderr)?;
    ensure!(complaint.is_empty(), "{complaint}");
    Ok((String::from_utf8(output.stdout)?, output.status.code()))
}

#[test]
fn a_server_is_shown_with_its_objects_and_whoever_set_its_fields() -> Result<()> {
    let world = World::new("kubectl");
    world.apply(&world.server("a", json!({ "replicas": 1 })))?;
    world.deployed("a")?;
    world.kubectl.run(&[
        "scale",
        "mcpserver",
        "a",
        "--replicas=2",
        "--namespace",
        &world.namespace,
    ])?;
    world.deployed("a")?;

    let why = eventually("nothing is wrong with it", SOON, || {
        let (why, code) = ask(&world, &["why", "a"])?;
        let is_well = code == Some(0) && why.contains("everything is there");
        ensure!(is_well, "{why}");
        Ok(why)
    })?;
    println!("{why}");

    let (status, code) = ask(&world, &["status"])?;
    println!("{status}");
    ensure!(status.contains("\na   ") && code == Some(0), "{status}");

    let (tree, _) = ask(&world, &["tree", "a"])?;
    println!("{tree}");
    for object in ["ServiceAccount", "Service", "Deployment", "ReplicaSet"] {
        ensure!(tree.contains(&format!("{object} mcp-a")), "{tree}");
    }
    ensure!(
        !tree.contains("missing") && !tree.contains("not of this"),
        "{tree}"
    );

    let (fields, _) = ask(&world, &["explain", "a"])?;
    println!("{fields}");
    let author = |field: &str| {
        let line = fields
            .lines()
            .find(|line| line.starts_with(&format!("{field} ")));
        line.map(str::to_owned).context(field.to_owned())
    };
    ensure!(
        author("spec.image.tag")?.contains("manifest (kubectl-client-side-apply)"),
        "{fields}"
    );
    ensure!(
        author("spec.port")?.contains("default of the schema"),
        "{fields}"
    );
    ensure!(author("spec.replicas")?.contains("kubectl"), "{fields}");

    Ok(())
}

/// Here the operator is no Deployment, and there is no LiteLLM: the doctor says so. All else is as it is shipped.
#[test]
fn the_doctor_finds_nothing_where_everything_is_as_shipped() -> Result<()> {
    let world = World::new("doctor");
    operator();
    let (found, code) = ask(&world, &["doctor", "--output=json"])?;
    println!("{found}");
    let found: Value = serde_json::from_str(&found)?;
    ensure!(code == Some(1), "{code:?}");
    for well in [
        "custom resource definitions",
        "permissions",
        "leader and clocks",
        "webhook configurations",
        "confinement",
    ] {
        let well_all = found["well"].as_array().context("well")?;
        ensure!(well_all.iter().any(|it| it == well), "{well}: {found:#}");
    }
    let findings = found["findings"].as_array().context("findings")?;
    let is_known = findings
        .iter()
        .any(|it| it["place"] == "Deployment mcp-operator-system/mcp-operator-controller-manager");
    ensure!(is_known && found["unread"] == json!([]), "{found:#}");
    Ok(())
}
