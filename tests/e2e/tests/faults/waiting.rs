//! Who waits for a server, with the code of kstatus, is told neither too early nor never (fluxcd/kustomize-controller#387,
//! fluxcd/helm-controller#294, strimzi/strimzi-kafka-operator#9278).

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::{Cache, Kstatus};
use mcp_e2e::{Operator, eventually};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

/// Servers that are made at once.
const BURST: usize = 20;

struct Judge {
    kstatus: Kstatus,
    world: World,
}

impl Judge {
    fn says(&self, kind: &str, name: &str) -> Result<String> {
        self.kstatus.of(&self.world.get(kind, name)?)
    }

    fn is(&self, kind: &str, name: &str, expected: &str) -> Result<()> {
        let said = self.says(kind, name)?;
        ensure!(said.starts_with(expected), "{kind} {name}: {said}");
        Ok(())
    }

    fn becomes(&self, kind: &str, name: &str, expected: &str) -> Result<()> {
        let what = format!("{kind} {name} is {expected}");
        eventually(&what, RECOVERY, || self.is(kind, name, expected))
    }
}

#[test]
fn flux_387_kstatus_says_current_when_a_server_is_ready_and_not_before() -> Result<()> {
    let kstatus = Kstatus::build(&Cache::open()?)?;
    let judge = Judge {
        kstatus,
        world: World::start("kstatus")?,
    };
    let world = &judge.world;
    // Nobody is there to look at it.
    world.apply(1)?;
    assert_eq!(
        world.get("mcpserver", "s-0")?["status"]["observedGeneration"],
        json!(-1),
        "the default outlives the creation"
    );
    for _ in 0..5 {
        judge.is("mcpserver", "s-0", "InProgress")?;
        judge.is("mcpplugin", "validation", "InProgress")?;
        sleep(Duration::from_millis(200));
    }

    let operator = Operator::start(&world.own.environment, "kstatus")?;
    judge.becomes("mcpserver", "s-0", "Current")?;
    judge.becomes("mcpplugin", "validation", "Current")?;

    // In a burst: whenever one of them is said to be current, it is ready.
    world.apply(BURST)?;
    eventually("all are current", RECOVERY, || {
        let mut current = 0;
        for index in 0..BURST {
            let server = world.get("mcpserver", &format!("s-{index}"))?;
            if judge.kstatus.of(&server)?.starts_with("Current") {
                assert_ready(&server);
                current += 1;
            }
        }
        ensure!(current == BURST, "{current} are current");
        Ok(())
    })?;

    // One that nobody can make ready by waiting, and one whose trouble is over.
    let edit = |server: &str, patch: &Value| {
        let patch = patch.to_string();
        let patch = [
            "patch",
            "mcpserver",
            server,
            "--type=merge",
            "--patch",
            &patch,
        ];
        world
            .kubectl()
            .run(&[&patch[..], &["--namespace=servers"]].concat())
    };
    let theirs = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "mcp-taken", "namespace": "servers" },
        "spec": { "ports": [{ "port": 80 }] },
    });
    world.kubectl().apply(&theirs.to_string())?;
    let mut taken = world.get("mcpserver", "s-0")?;
    taken["metadata"] = json!({ "name": "taken", "namespace": "servers" });
    world.kubectl().apply(&taken.to_string())?;
    judge.becomes("mcpserver", "taken", "Failed")?;
    world.delete("service", "mcp-taken")?;
    edit(
        "taken",
        &json!({ "metadata": { "annotations": { "look": "again" } } }),
    )?;
    judge.becomes("mcpserver", "taken", "Current")?;

    // Without an operator, an edit is not done.
    drop(operator);
    let webhooks = "mutatingwebhookconfigurations,validatingwebhookconfigurations";
    world.kubectl().run(&["delete", webhooks, "--all"])?;
    edit("s-0", &json!({ "spec": { "image": { "tag": "1.0.1" } } }))?;
    judge.is("mcpserver", "s-0", "InProgress")?;
    let operator = Operator::start(&world.own.environment, "kstatus-again")?;
    let generation = world.get("mcpserver", "s-0")?["metadata"]["generation"].clone();
    eventually("the edit is done", RECOVERY, || {
        let server = world.get("mcpserver", "s-0")?;
        let said = judge.kstatus.of(&server)?;
        ensure!(said.starts_with("Current"), "{said}");
        assert_eq!(server["status"]["observedGeneration"], generation);
        assert_ready(&server);
        let deployment = world.get("deployment", "mcp-s-0")?;
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        assert!(image.to_string().ends_with(":1.0.1\""), "{image}");
        Ok(())
    })?;
    drop(operator);
    Ok(())
}

fn assert_ready(server: &Value) {
    let conditions = server["status"]["conditions"].as_array().unwrap();
    let is_ready =
        |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    assert!(conditions.iter().any(is_ready), "{server}");
    assert_eq!(server["status"]["phase"], "Ready", "{server}");
}
