//! A permission is missing: the one thing that needs it does not work, and says so.

use std::fs;

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Operator, eventually};
use serde_json::Value;

use crate::world::{RECOVERY, World};

fn condition(world: &World, kind: &str) -> Result<Value> {
    let server = world.get("mcpserver", "s-0")?;
    let conditions = server["status"]["conditions"]
        .as_array()
        .context("no status")?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind);
    found.cloned().with_context(|| format!("no {kind}"))
}

/// A kubeconfig for the operator's own service account.
fn kubeconfig(world: &World, folder: &std::path::Path) -> Result<std::path::PathBuf> {
    let token = world.kubectl().run(&[
        "create",
        "token",
        "mcp-operator",
        "--namespace=mcp-operator-system",
    ])?;
    let config = fs::read_to_string(world.kubectl().kubeconfig())?;
    let line = config
        .lines()
        .find(|line| line.contains("token:"))
        .context("no token")?;
    let indentation = &line[..line.find("token:").unwrap_or_default()];
    let file = folder.join("kubeconfig");
    fs::write(
        &file,
        config.replace(line, &format!("{indentation}token: {}", token.trim())),
    )?;
    Ok(file)
}

/// Comparable operators stay Pending without a word (stacklok/toolhive#4195).
#[test]
fn toolhive_4195_a_missing_permission_is_told_and_stops_nothing_else() -> Result<()> {
    let world = World::start("permissions")?;
    let role = world
        .kubectl()
        .json(&["get", "clusterrole", "mcp-operator"])?;
    let mut restricted = role.clone();
    let rules = restricted["rules"].as_array_mut().context("no rules")?;
    rules.retain(|rule| rule["apiGroups"][0] != "policy");
    world
        .kubectl()
        .pipe(&["replace", "--filename", "-"], &restricted.to_string())?;

    let folder = tempfile::tempdir()?;
    let config = kubeconfig(&world, folder.path())?;
    let _operator = Operator::start_as(&world.environment, "permissions", &config)?;
    world.apply(1)?;
    eventually("the Deployment is ready", RECOVERY, || {
        ensure!(condition(&world, "DeploymentReady")?["status"] == "True");
        Ok(())
    })?;
    let ready = condition(&world, "Ready")?;
    ensure!(
        ready["status"] == "False" && ready["reason"] == "Forbidden",
        "{ready}"
    );
    let message = ready["message"].as_str().unwrap_or_default();
    ensure!(message.contains("poddisruptionbudgets"), "{message}");

    // The permission comes: no restart is needed.
    let patch = serde_json::json!({ "rules": role["rules"] });
    world.kubectl().run(&[
        "patch",
        "clusterrole",
        "mcp-operator",
        "--type=merge",
        "--patch",
        &patch.to_string(),
    ])?;
    eventually("everything is there", RECOVERY, || {
        ensure!(condition(&world, "Ready")?["status"] == "True");
        world.get("poddisruptionbudget", "mcp-s-0")
    })
    .map(drop)
}
