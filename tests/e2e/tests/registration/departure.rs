//! Servers that go while nobody looks.

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Operator, eventually};
use serde_json::Value;

use crate::world::{NAMESPACE, SOON, World};

/// Everything in the cluster that mentions a word, in any namespace; events are a diary and stay for their hour.
fn mentions(world: &World, word: &str) -> Result<Vec<String>> {
    let kinds = world
        .kubectl()
        .run(&["api-resources", "--verbs=list", "--output=name"])?;
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events"))
        .collect();
    let found = world.kubectl().json(&[
        "get",
        &kinds.join(","),
        "--all-namespaces",
        "--show-managed-fields",
    ])?;
    let items = found["items"].as_array().context("no list")?;
    let name = |item: &Value| {
        let metadata = &item["metadata"];
        format!(
            "{} {}/{}",
            item["kind"], metadata["namespace"], metadata["name"]
        )
    };
    Ok(items
        .iter()
        .filter(|item| item.to_string().contains(word))
        .map(name)
        .collect())
}

#[test]
fn what_is_deleted_while_nobody_looks_leaves_nothing_in_any_namespace() -> Result<()> {
    let world = World::start("departure")?;
    let mut operator = Operator::start(&world.own.environment, "departure")?;
    world.apply_servers(&["stays".to_owned(), "goeszzz".to_owned()])?;
    for name in ["stays", "goeszzz"] {
        world.registered(name, "Registered")?;
    }
    let before = mentions(&world, "goeszzz")?;
    for kind in [
        "ServiceAccount",
        "Service",
        "Deployment",
        "Pod",
        "ConfigMap",
    ] {
        ensure!(
            before.iter().any(|found| found.contains(kind)),
            "{before:?}"
        );
    }
    operator.kill();
    world.kubectl().run(&[
        "delete",
        "mcpserver",
        "goeszzz",
        "--namespace",
        NAMESPACE,
        "--timeout=30s",
    ])?;
    let _operator = Operator::start(&world.own.environment, "departure-again")?;
    eventually("nothing is left", SOON, || {
        let left = mentions(&world, "goeszzz")?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })?;
    world.registered("stays", "Registered")
}

/// A namespace goes with everything in it: what is elsewhere goes, too.
#[test]
fn what_goes_with_its_namespace_leaves_nothing_elsewhere() -> Result<()> {
    let world = World::start("departure-namespace")?;
    let _operator = Operator::start(&world.own.environment, "departure-namespace")?;
    world.apply_servers(&["goeszzz".to_owned()])?;
    world.registered("goeszzz", "Registered")?;
    world
        .kubectl()
        .run(&["delete", "namespace", NAMESPACE, "--timeout=120s"])?;
    eventually("nothing is left", SOON, || {
        let left = mentions(&world, "goeszzz")?;
        ensure!(left.is_empty() && world.file()? == "{}\n", "{left:?}");
        Ok(())
    })
}
