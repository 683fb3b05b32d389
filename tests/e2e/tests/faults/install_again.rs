//! The manifests, after an operator ran beside the cluster.

use anyhow::{Context, Result, ensure};
use mcp_cluster::repository;
use mcp_e2e::Operator;

use crate::world::World;

const CONFIGURATIONS: [&str; 2] = [
    "mutatingwebhookconfiguration",
    "validatingwebhookconfiguration",
];

/// The address of an operator beside the cluster stands where the Service belongs, and only one of them may be there.
#[test]
fn the_manifests_can_be_applied_again_by_the_command_that_the_readme_names() -> Result<()> {
    let world = World::start("install-again")?;
    drop(Operator::start(&world.own.environment, "install-again")?);
    let base = repository().join("deploy/base");
    let apply = [
        "apply",
        "--server-side",
        "--kustomize",
        &base.to_string_lossy(),
    ];
    let forced = [&apply[..], &["--force-conflicts"]].concat();
    let error = world
        .kubectl()
        .run(&forced)
        .err()
        .context("it was accepted")?;
    ensure!(format!("{error:#}").contains("url"), "{error:#}");

    let readme = std::fs::read_to_string(repository().join("README.md"))?;
    let command =
        "kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration mcp-operator";
    ensure!(
        readme.contains(command),
        "README.md does not name {command}"
    );
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    world.kubectl().run(&arguments)?;
    world.kubectl().run(&forced)?;
    for kind in CONFIGURATIONS {
        let found = world.kubectl().json(&["get", kind, "mcp-operator"])?;
        for webhook in found["webhooks"].as_array().context("no webhooks")? {
            let client = &webhook["clientConfig"];
            ensure!(
                client["url"].is_null()
                    && client["service"]["name"] == "mcp-operator-webhook-service",
                "{client}"
            );
        }
    }
    Ok(())
}
