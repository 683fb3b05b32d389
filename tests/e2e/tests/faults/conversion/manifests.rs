//! Who applies the definitions, and the operator that writes into them, do not undo each other's work.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Process, repository};
use mcp_e2e::{eventually, operator_kubeconfig};
use serde_json::{Value, json};

use super::support::{ALPHA, DEFINITION, alpha, beta, served};
use crate::world::{RECOVERY, World};

fn apply(world: &World, folder: &str) -> Result<()> {
    let folder = repository().join(folder);
    let folder = folder.to_string_lossy();
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--kustomize",
        &folder,
    ];
    world.kubectl().run(&apply).map(drop)
}

fn conversion(world: &World) -> Result<Value> {
    let found = world.kubectl().json(&["get", "crd", DEFINITION])?;
    Ok(found["spec"]["conversion"].clone())
}

/// An operator as in a cluster, which says itself where its Service is; the API server does not reach that.
fn behind_service(world: &World) -> Result<Process> {
    let environment = &world.own.environment;
    let kubectl = world.kubectl();
    let config = operator_kubeconfig(kubectl, kubectl.kubeconfig(), &environment.logs)?;
    let prepare = |command: &mut Command| {
        command
            .arg("run")
            .arg("--builtin-plugins")
            .arg(&environment.artifacts.plugins)
            .arg("--cache-dir")
            .arg(environment.logs.join("components"))
            .args(["--webhook-bind", "127.0.0.1:0"])
            .args(["--health-bind", "127.0.0.1:0"])
            .args(["--metrics-bind-address", "0"])
            .env("KUBECONFIG", config);
    };
    let log = environment.logs.join("operator-versions-manifests.log");
    Process::start(&environment.artifacts.operator, prepare, &log)
}

#[test]
fn definitions_can_be_applied_again_and_in_any_order() -> Result<()> {
    let world = World::start("versions-manifests")?;
    world.delete_webhooks()?;
    assert_eq!(conversion(&world)?, json!({ "strategy": "None" }));
    // Before there is an operator: what needs it fails, and nothing is stored that would lose fields.
    apply(&world, "deploy/overlays/v1beta1")?;
    served(&world, "v1beta1")?;
    let refused = world.kubectl().apply(&beta("a").to_string());
    let refused = refused.err().context("nobody converts it")?;
    ensure!(
        format!("{refused:#}").contains("conversion webhook"),
        "{refused:#}"
    );
    let namespace = "--namespace=servers";
    ensure!(world.kubectl().run(&["get", ALPHA, namespace])?.is_empty());
    world.kubectl().apply(&alpha("a").to_string())?;
    world.kubectl().run(&["delete", ALPHA, "a", namespace])?;

    let operator = behind_service(&world)?;
    eventually("the operator says by whom it is known", RECOVERY, || {
        let client = conversion(&world)?["webhook"]["clientConfig"].clone();
        ensure!(client["caBundle"].is_string(), "{client}");
        Ok(())
    })?;
    drop(operator);
    let told = conversion(&world)?;
    let service = &told["webhook"]["clientConfig"]["service"];
    let wanted = json!({
        "namespace": "mcp-operator-system", "name": "mcp-operator-webhook-service", "path": "/convert", "port": 443,
    });
    assert_eq!(*service, wanted);
    for (folder, newest) in [
        ("deploy/overlays/v1beta1", "v1beta1"),
        ("crds", "v1alpha1"),
        ("deploy/overlays/v1beta1", "v1beta1"),
    ] {
        apply(&world, folder)?;
        served(&world, newest)?;
        assert_eq!(conversion(&world)?, told, "after {folder}");
    }
    Ok(())
}
