//! What is left of an operator that goes, and what can still be done where it is broken.

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Operator, OwnCluster, eventually};
use serde_json::json;

use crate::world::{RECOVERY, World, list};

const CONFIGURATIONS: &str = "mutatingwebhookconfiguration,validatingwebhookconfiguration";

fn create(world: &World) -> Result<String> {
    let create = ["create", "--dry-run=server", "--filename=-"];
    world.kubectl().pipe(&create, &list(7..8, &json!({})))
}

fn owned(world: &World) -> Result<()> {
    eventually(
        "the configurations belong to the namespace",
        RECOVERY,
        || {
            let path = "--output=jsonpath={.items[*].metadata.ownerReferences[*].kind}";
            let owners = world
                .kubectl()
                .run(&["get", CONFIGURATIONS, "mcp-operator", path])?;
            ensure!(owners == "Namespace Namespace", "{owners}");
            Ok(())
        },
    )
}

/// Nothing calls a webhook any more that nobody answers.
fn unblocked(world: &World) -> Result<()> {
    eventually("servers can be created", RECOVERY, || create(world)).map(drop)
}

#[test]
fn a_namespace_that_is_deleted_first_takes_the_webhooks_along() -> Result<()> {
    let world = World::start("uninstall-namespace")?;
    let operator = Operator::start(&world.own.environment, "uninstall-namespace")?;
    world.apply(2)?;
    world.converged(2)?;
    owned(&world)?;
    // Kubernetes' garbage collector learns of new kinds each half minute: of one that came and went in between it would
    // never know.
    let delete = [
        "delete",
        "mcpserver",
        "s-1",
        "--namespace",
        OwnCluster::NAMESPACE,
    ];
    world.kubectl().run(&delete)?;
    eventually("the collector knows the kind", RECOVERY, || {
        ensure!(world.count("deployments")? == 1);
        Ok(())
    })?;
    // The Deployment would go with the namespace, and the process with its pod.
    drop(operator);
    let blocked = create(&world).err().context("nobody was asked")?;
    ensure!(
        format!("{blocked:#}").contains("failed calling webhook"),
        "{blocked:#}"
    );
    let delete = ["delete", "namespace", "mcp-operator-system", "--wait=false"];
    world.kubectl().run(&delete)?;
    unblocked(&world)?;
    // The rest, in the order that somebody who cleans up would not choose.
    for rest in [
        ["delete", "clusterrole", "mcp-operator-manager-role"],
        ["delete", "clusterrole", "mcp-operator-webhook"],
        ["delete", "crd", "mcpplugins.mcp.litellm.ai"],
        ["delete", "crd", "mcpservers.mcp.litellm.ai"],
    ] {
        world.kubectl().run(&rest)?;
    }
    eventually("its objects go with it", RECOVERY, || {
        let left = world.count("deployments")?;
        ensure!(left == 0, "{left} are left");
        Ok(())
    })
}

#[test]
fn while_nobody_answers_servers_can_be_labelled_and_deleted_and_not_changed() -> Result<()> {
    let world = World::start("broken-operator")?;
    let mut operator = Operator::start(&world.own.environment, "broken-operator")?;
    world.apply(2)?;
    world.converged(2)?;
    operator.kill();
    let namespace = format!("--namespace={}", OwnCluster::NAMESPACE);
    let server = |verb: &str, more: &[&str]| {
        let arguments = [&[verb, "mcpserver", "s-0", &namespace], more].concat();
        world.kubectl().run(&arguments)
    };
    server("label", &["team=a"])?;
    server("annotate", &["note=x"])?;
    server(
        "patch",
        &[
            "--type=merge",
            r#"--patch={"metadata":{"finalizers":["example.com/kept"]}}"#,
        ],
    )?;
    let change = r#"--patch={"spec":{"port":9001}}"#;
    for refused in [
        server("patch", &["--type=merge", change]),
        server("scale", &["--replicas=3"]),
        create(&world),
    ] {
        let error = refused.err().context("it was not judged")?;
        ensure!(
            format!("{error:#}").contains("failed calling webhook"),
            "{error:#}"
        );
    }
    server("delete", &["--wait=false"])?;
    server(
        "patch",
        &[
            "--type=merge",
            r#"--patch={"metadata":{"finalizers":null}}"#,
        ],
    )?;
    eventually("it is gone", RECOVERY, || {
        ensure!(world.get("mcpserver", "s-0").is_err(), "it is there");
        Ok(())
    })?;
    world.delete("mcpserver", "s-1")?;
    // The way out that the documents name.
    let delete = ["delete", CONFIGURATIONS, "mcp-operator"];
    world.kubectl().run(&delete)?;
    create(&world).map(drop)
}
