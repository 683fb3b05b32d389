//! The seven manifests that a team has for each server without an operator become those of an MCPServer, and their pods go on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Definitions, repository};
use mcp_e2e::{Operator, eventually, holds_for, install_definition};
use serde_json::{Value, json};

use crate::world::{self, RECOVERY, World};

const NAMESPACE: &str = "litellm";
const SERVER: &str = "github";
const ALL: [(&str, &str); 7] = [
    ("configmap", "mcp-github-config"),
    ("deployment", "mcp-github"),
    ("externalsecret", "mcp-github-secrets"),
    ("poddisruptionbudget", "mcp-github"),
    ("service", "mcp-github"),
    ("serviceaccount", "mcp-github"),
    ("servicemonitor", "mcp-github"),
];

fn run(world: &World, args: &[&str]) -> Result<String> {
    let namespace = ["--namespace", NAMESPACE];
    world.kubectl().run(&[args, &namespace].concat())
}

fn get(world: &World, kind: &str, name: &str) -> Result<Value> {
    let found = run(
        world,
        &["get", kind, name, "--output=json", "--show-managed-fields"],
    )?;
    serde_json::from_str(&found).context("no JSON")
}

fn all(world: &World) -> Result<Vec<Value>> {
    ALL.iter()
        .map(|(kind, name)| get(world, kind, name))
        .collect()
}

fn names() -> Vec<String> {
    ALL.iter()
        .map(|(kind, name)| format!("{kind}/{name}"))
        .collect()
}

/// Uids of ReplicaSets and pods.
fn running(world: &World) -> Result<Vec<String>> {
    let uids = "--output=jsonpath={.items[*].metadata.uid}";
    let found = run(world, &["get", "replicasets,pods", uids])?;
    let mut uids: Vec<String> = found.split_whitespace().map(str::to_owned).collect();
    uids.sort();
    Ok(uids)
}

/// Addresses to which the Service sends.
fn endpoints(world: &World) -> Result<usize> {
    let slices = run(
        world,
        &[
            "get",
            "endpointslices",
            "--selector=kubernetes.io/service-name=mcp-github",
            "--output=json",
        ],
    )?;
    let slices: Value = serde_json::from_str(&slices)?;
    let slices = slices["items"].as_array().context("no list")?;
    let endpoints = slices
        .iter()
        .filter(|slice| slice["ports"][0]["port"] == 8080)
        .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    Ok(endpoints
        .filter(|endpoint| endpoint["conditions"]["ready"] == true)
        .count())
}

fn folder() -> PathBuf {
    repository().join("host/offline/src/import/tests/by-hand")
}

/// `kubectl apply` of the folder, with an image of a registry that is allowed here.
fn apply_by_hand(world: &World) -> Result<()> {
    for file in std::fs::read_dir(folder())? {
        let text = std::fs::read_to_string(file?.path())?;
        let text = text.replace(
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "docker.io/local",
        );
        world.kubectl().pipe(&["apply", "--filename", "-"], &text)?;
    }
    run(
        world,
        &[
            "rollout",
            "status",
            "deployment/mcp-github",
            "--timeout=90s",
        ],
    )?;
    eventually("the Service has its pods", RECOVERY, || {
        ensure!(endpoints(world)? == 2);
        Ok(())
    })
}

/// What `import` makes of the cluster's own objects, and the commands that it gives.
fn import(world: &World, program: &Path) -> Result<(Value, Vec<String>)> {
    let objects = run(
        world,
        &[
            &["get", "--output=yaml"][..],
            &names().iter().map(String::as_str).collect::<Vec<_>>(),
        ]
        .concat(),
    )?;
    let file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    std::fs::write(file.path(), objects)?;
    let output = Command::new(program)
        .arg("import")
        .arg(file.path())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let commands = text
        .lines()
        .filter_map(|line| line.strip_prefix("#   kubectl "));
    let commands = commands.map(str::to_owned).collect();
    let server = world.kubectl().pipe(
        &[
            "create",
            "--dry-run=client",
            "--output=json",
            "--filename",
            "-",
        ],
        &text,
    );
    let mut server: Value = serde_json::from_str(&server.with_context(|| text.clone())?)?;
    server["spec"]["litellm"] = json!({ "autoRegister": false });
    Ok((server, commands))
}

fn condition(world: &World, kind: &str) -> Result<Value> {
    world::condition(&get(world, "mcpserver", SERVER)?, kind)
}

/// What the operator writes while it looks again and again.
fn writes_at_rest(world: &mut World) -> Result<Vec<String>> {
    world.settled()?;
    for look in 0..3 {
        let look = format!("look={look}");
        run(
            world,
            &["annotate", "mcpserver", SERVER, "--overwrite", &look],
        )?;
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    let requests = world.settled()?;
    let writes = requests.iter().filter(|request| request.is_write());
    let here = writes.filter(|request| request.object.starts_with("litellm/"));
    Ok(here.map(|request| format!("{request:?}")).collect())
}

#[test]
fn seven_manifests_by_hand_are_adopted_without_a_new_pod() -> Result<()> {
    let mut world = World::start("adoption")?;
    let definitions = Definitions::fetch()?;
    for definition in [&definitions.external_secrets, &definitions.service_monitors] {
        install_definition(world.kubectl(), definition)?;
    }
    let allow = [
        "annotate",
        "namespace",
        NAMESPACE,
        "mcp.litellm.ai/secret-keys=mcp/*",
        "mcp.litellm.ai/iam-roles=arn:aws:iam::123456789012:role/*",
    ];
    world.kubectl().run(&allow)?;
    apply_by_hand(&world)?;
    let operator = Operator::start(&world.own.environment, "adoption")?;

    // Who may write MCPServers alone takes nothing.
    let program = world.own.environment.artifacts.operator.clone();
    let (server, commands) = import(&world, &program)?;
    let (before, pods) = (all(&world)?, running(&world)?);
    world.kubectl().apply(&server.to_string())?;
    eventually("it is told whose they are", RECOVERY, || {
        let ready = condition(&world, "DeploymentReady")?;
        ensure!(ready["reason"] == "ForeignObject", "{ready}");
        Ok(())
    })?;
    holds_for(
        "nothing is touched",
        std::time::Duration::from_secs(2),
        || {
            let versions = |objects: &[Value]| {
                objects
                    .iter()
                    .map(|object| {
                        (
                            object["spec"].clone(),
                            object["metadata"]["ownerReferences"].clone(),
                        )
                    })
                    .collect::<Vec<_>>()
            };
            ensure!(versions(&all(&world)?) == versions(&before));
            Ok(())
        },
    )?;

    // Who may write the objects offers them, by the commands that import has told.
    ensure!(commands.len() == 2, "{commands:?}");
    for command in &commands {
        world
            .kubectl()
            .run(&command.split_whitespace().collect::<Vec<_>>())?;
    }
    eventually("every object has its owner", RECOVERY, || {
        let owner = get(&world, "mcpserver", SERVER)?["metadata"]["uid"].clone();
        for object in all(&world)? {
            let owners = &object["metadata"]["ownerReferences"];
            ensure!(
                owners[0]["uid"] == owner && owners[0]["controller"] == true,
                "{}: {owners}",
                object["kind"]
            );
        }
        Ok(())
    })?;
    eventually("it is ready, and says what is kept", RECOVERY, || {
        let ready = condition(&world, "Ready")?;
        let message = ready["message"].as_str().unwrap_or_default();
        ensure!(
            ready["status"] == "True" && message.contains("spec.containers[mcp-github].name"),
            "{ready}"
        );
        Ok(())
    })?;
    let after = all(&world)?;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
    }
    let template = |objects: &[Value]| objects[1]["spec"]["template"].clone();
    assert_eq!(template(&before), template(&after));
    assert_eq!(
        running(&world)?,
        pods,
        "no pod and no ReplicaSet is another"
    );
    assert_eq!(
        before[4]["spec"]["clusterIP"],
        after[4]["spec"]["clusterIP"]
    );
    assert_eq!(endpoints(&world)?, 2);
    let writes = writes_at_rest(&mut world)?;
    ensure!(writes.is_empty(), "{writes:?}");

    // Offered once more, and by an operator that has been restarted: nothing changes.
    for command in &commands {
        let overwrite: Vec<&str> = command.split_whitespace().chain(["--overwrite"]).collect();
        world.kubectl().run(&overwrite)?;
    }
    drop(operator);
    let _operator = Operator::start(&world.own.environment, "adoption-again")?;
    let writes = writes_at_rest(&mut world)?;
    ensure!(writes.is_empty(), "{writes:?}");
    assert_eq!(running(&world)?, pods);

    // The first change is a rollout of the same Deployment, and the Service always sends to somebody.
    let tag = r#"{"spec":{"image":{"tag":"1.0.1"}}}"#;
    run(
        &world,
        &["patch", "mcpserver", SERVER, "--type=merge", "--patch", tag],
    )?;
    eventually("all pods are the operator's", RECOVERY, || {
        ensure!(endpoints(&world)? > 0, "nobody serves");
        let deployment = get(&world, "deployment", "mcp-github")?;
        let state = &deployment["metadata"]["annotations"]["mcp.litellm.ai/adopted-template"];
        ensure!(*state == "replaced", "{state}");
        Ok(())
    })?;
    let deployment = get(&world, "deployment", "mcp-github")?;
    assert_eq!(deployment["metadata"]["uid"], before[1]["metadata"]["uid"]);
    let containers = deployment["spec"]["template"]["spec"]["containers"]
        .as_array()
        .context("containers")?;
    ensure!(
        containers.len() == 1 && containers[0]["name"] == "server",
        "{containers:?}"
    );
    eventually("what only the old pods read is gone", RECOVERY, || {
        let left = run(
            &world,
            &[
                "get",
                "configmap",
                "mcp-github-config",
                "--ignore-not-found",
                "--output=name",
            ],
        )?;
        ensure!(left.is_empty(), "{left}");
        let service = get(&world, "service", "mcp-github")?;
        ensure!(
            service["spec"]["ports"][0]["targetPort"] == "http",
            "{service}"
        );
        let ready = condition(&world, "Ready")?;
        ensure!(
            ready["status"] == "True" && !ready["message"].to_string().contains("adopted"),
            "{ready}"
        );
        ensure!(endpoints(&world)? == 2);
        Ok(())
    })?;
    let writes = writes_at_rest(&mut world)?;
    ensure!(writes.is_empty(), "{writes:?}");

    // They go with the MCPServer.
    run(&world, &["delete", "mcpserver", SERVER])?;
    eventually("all is gone", RECOVERY, || {
        let left = run(
            &world,
            &[
                "get",
                "deployments,services,serviceaccounts,configmaps,externalsecrets,servicemonitors,poddisruptionbudgets",
                "--output=name",
            ],
        )?;
        let left: Vec<&str> = left
            .lines()
            .filter(|name| name.contains("mcp-github"))
            .collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
}
