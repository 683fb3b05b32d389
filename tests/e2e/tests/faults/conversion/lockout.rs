//! What can be done while nobody converts.

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Operator, OwnCluster, eventually};

use super::support::{ALPHA, BETA, DEFINITION, alpha, beta, serve, served};
use crate::world::{RECOVERY, World};

fn namespace() -> String {
    format!("--namespace={}", OwnCluster::NAMESPACE)
}

fn delete_namespace(world: &World) -> Result<()> {
    let delete = ["delete", "namespace", OwnCluster::NAMESPACE, "--wait=false"];
    world.kubectl().run(&delete).map(drop)
}

fn namespace_is_gone(world: &World) -> Result<()> {
    eventually("the namespace is gone", RECOVERY, || {
        let get = [
            "get",
            "namespace",
            OwnCluster::NAMESPACE,
            "--output=jsonpath={.status.conditions}",
        ];
        let found = world.kubectl().run(&get);
        ensure!(found.is_err(), "{found:?}");
        Ok(())
    })
}

/// As it is installed: nothing asks a webhook that is not there.
#[test]
fn what_is_stored_needs_nobody_to_be_read_or_deleted() -> Result<()> {
    let world = World::start("not-converted")?;
    served(&world, "v1alpha1")?;
    let mut operator = Operator::start(&world.own.environment, "not-converted")?;
    world.kubectl().apply(&alpha("a").to_string())?;
    world.kubectl().apply(&alpha("b").to_string())?;
    operator.kill();
    let get = ["get", "mcpservers", &namespace(), "--output=name"];
    ensure!(world.kubectl().run(&get)?.lines().count() == 2);
    world.delete("mcpserver", "a")?;
    delete_namespace(&world)?;
    namespace_is_gone(&world)
}

/// Where `v1beta1` is served it is what everybody asks for who names no version.
#[test]
fn where_nobody_converts_the_stored_version_helps_and_then_the_definition() -> Result<()> {
    let world = World::start("converted-by-nobody")?;
    let mut operator = Operator::start(&world.own.environment, "converted-by-nobody")?;
    serve(&world, "v1beta1")?;
    world.kubectl().apply(&beta("a").to_string())?;
    world.kubectl().apply(&beta("b").to_string())?;
    operator.kill();
    let namespace = namespace();
    let run = |arguments: &[&str]| world.kubectl().run(&[arguments, &[&namespace]].concat());
    let refused = run(&["get", BETA, "a"]).err().context("it is read")?;
    ensure!(
        format!("{refused:#}").contains("conversion webhook"),
        "{refused:#}"
    );
    // By the version that is stored, nobody is asked.
    run(&["get", ALPHA, "a"])?;
    run(&["label", ALPHA, "a", "team=x"])?;
    run(&["delete", ALPHA, "a"])?;
    delete_namespace(&world)?;
    eventually("the namespace waits", RECOVERY, || {
        let get = [
            "get",
            "namespace",
            OwnCluster::NAMESPACE,
            "--output=jsonpath={.status.conditions}",
        ];
        let found = world.kubectl().run(&get)?;
        ensure!(found.contains("conversion webhook"), "{found}");
        Ok(())
    })?;
    // The way out that the documents name.
    let patch = r#"--patch=[{"op":"test","path":"/spec/versions/1/name","value":"v1beta1"},{"op":"replace","path":"/spec/versions/1/served","value":false}]"#;
    world
        .kubectl()
        .run(&["patch", "crd", DEFINITION, "--type=json", patch])?;
    namespace_is_gone(&world)
}
