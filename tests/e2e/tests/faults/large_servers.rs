//! MCPServers as large as they can be stored.

use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_e2e::{MemoryGroup, Operator, eventually, install_plugins};
use serde_json::{Value, json};

use crate::memory::{incompressible, most_resident_kib, resident_kib};
use crate::world::World;

/// Of each of two teams: as trees, those of numbers alone would take half a gigabyte.
const SERVERS: usize = 24;
/// What etcd takes, without what the API server adds.
const BYTES: usize = 1_400_000;
/// The longest argument that the schema allows.
const ARGUMENT: usize = 8192;
/// The limit of deploy/base/operator.yaml, without what the compiler of plugins may take of it.
const MOST_KIB: u64 = 512 << 10;

/// Each of them is read from the API server before it is told, two at a time, while other tests run.
const ALL_TOLD: Duration = Duration::from_mins(10);

/// Two teams fill the store, also with what no rule lets in: nobody was there to ask. The operator lives, and serves others.
#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn large_servers_of_two_teams_leave_the_operator_to_a_third() -> Result<()> {
    let world = World::start("large-servers")?;
    let kubectl = world.kubectl();
    world.delete_webhooks()?;
    for namespace in ["crowd-a", "crowd-b"] {
        kubectl.run(&["create", "namespace", namespace])?;
        for batch in 0..SERVERS / 5 {
            let servers: Vec<Value> = (0..5)
                .map(|index| large(namespace, batch * 5 + index))
                .collect();
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": servers });
            kubectl.pipe(&["create", "--filename", "-"], &list.to_string())?;
        }
    }
    install_plugins(kubectl)?;
    for name in ["large-servers", "large-servers-again"] {
        let operator = Operator::start(&world.own.environment, name)?;
        let group = MemoryGroup::around(operator.id(), MOST_KIB)?;
        world.apply(1)?;
        world.converged(1)?;
        for namespace in ["crowd-a", "crowd-b"] {
            told(&world, namespace)?;
        }
        // What it does for those that have room goes on beside the work for others.
        world.apply(2)?;
        world.converged(2)?;
        world.delete("mcpserver", "s-1")?;
        let (now, most) = (
            resident_kib(operator.id())?,
            most_resident_kib(operator.id())?,
        );
        println!("{now} KiB, {most} KiB at most");
        ensure!(most < MOST_KIB, "{most} KiB at most");
        // A group goes after its process.
        drop((operator, group));
    }
    Ok(())
}

/// The newest of a team have no room, and say so.
fn told(world: &World, namespace: &str) -> Result<()> {
    eventually(&format!("{namespace} is told"), ALL_TOLD, || {
        let reasons = world.kubectl().run(&[
            "get",
            "mcpservers",
            "--namespace",
            namespace,
            r#"--output=jsonpath={.items[*].status.conditions[?(@.type=="SpecValid")].reason}"#,
        ])?;
        let too_large = reasons
            .split(' ')
            .filter(|reason| *reason == "TooLarge")
            .count();
        ensure!(too_large > SERVERS / 2, "{reasons}");
        Ok(())
    })
}

/// Half of them are text, and the others lists of numbers, which take much more memory than text.
fn large(namespace: &str, number: usize) -> Value {
    let mut server = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": format!("large-{number}"), "namespace": namespace },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "replicas": 1,
            "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } }, "litellm": { "autoRegister": false },
        },
    });
    if number.is_multiple_of(2) {
        let text = incompressible(number, BYTES);
        let arguments = text
            .as_bytes()
            .chunks(ARGUMENT)
            .map(String::from_utf8_lossy);
        server["spec"]["args"] = arguments.collect();
    } else {
        server["spec"]["config"] = json!({ "a": vec![0; BYTES / 2] });
    }
    server
}
