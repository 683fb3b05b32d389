//! A permission is missing: the one thing that needs it does not work, and says so.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Operator, eventually, operator_kubeconfig};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

/// The ClusterRoles: what the operator knows of the whole cluster, and what it makes of MCPServers.
const OPERATOR: &str = "mcp-operator-manager-role";
const TENANT: &str = "mcp-operator-tenant";

/// Takes the permission for a kind of objects away from a ClusterRole, and gives the role as it was.
fn without(world: &World, role: &str, group: &str, resource: &str) -> Result<Value> {
    let found = world.kubectl().json(&["get", "clusterrole", role])?;
    let mut rules = found["rules"].clone();
    let list = rules.as_array_mut().context("no rules")?;
    let before = list.len();
    list.retain(|rule| rule["apiGroups"][0] != group || rule["resources"][0] != resource);
    ensure!(list.len() + 1 == before, "no rule for {resource} alone");
    grant(world, role, &rules)?;
    Ok(found["rules"].clone())
}

fn grant(world: &World, role: &str, rules: &Value) -> Result<()> {
    let patch = json!({ "rules": rules }).to_string();
    let kind = ["patch", "clusterrole", role, "--type=merge", "--patch"];
    world
        .kubectl()
        .run(&[&kind[..], &[&patch]].concat())
        .map(drop)
}

/// Comparable operators stay Pending without a word (stacklok/toolhive#4195). Two permissions are missing here: one for
/// objects, told in the condition, and one for events, told to who can mend it, once.
#[test]
fn toolhive_4195_a_missing_permission_is_told_and_stops_nothing_else() -> Result<()> {
    let world = World::start("permissions")?;
    let children = without(&world, TENANT, "policy", "poddisruptionbudgets")?;
    let rest = without(&world, OPERATOR, "events.k8s.io", "events")?;
    let operator = Operator::start(&world.own.environment, "permissions")?;
    world.apply(1)?;
    eventually("the Deployment is ready", RECOVERY, || {
        ensure!(world.condition("DeploymentReady")?["status"] == "True");
        Ok(())
    })?;
    let ready = world.condition("Ready")?;
    ensure!(
        ready["status"] == "False" && ready["reason"] == "Forbidden",
        "{ready}"
    );
    let message = ready["message"].as_str().unwrap_or_default();
    ensure!(message.contains("poddisruptionbudgets"), "{message}");
    let logged = |words: &str| -> Result<Vec<String>> {
        let log = fs::read_to_string(operator.log())?;
        let lines = log.lines().filter(|line| line.contains(words));
        Ok(lines.map(str::to_owned).collect())
    };
    let refused = eventually("it is told", RECOVERY, || {
        let refused = logged("events are not written")?;
        ensure!(refused.len() == 1, "{refused:?}");
        Ok(refused)
    })?;
    for words in [
        "WARN",
        "events.events.k8s.io",
        "ServiceAccount to create and patch",
    ] {
        ensure!(refused[0].contains(words), "{words}: {}", refused[0]);
    }

    // The permissions come: no restart is needed.
    grant(&world, TENANT, &children)?;
    grant(&world, OPERATOR, &rest)?;
    eventually("everything is there", RECOVERY, || {
        ensure!(world.condition("Ready")?["status"] == "True");
        world.get("poddisruptionbudget", "mcp-s-0")
    })?;
    eventually("events are written", RECOVERY, || {
        let about = world.kubectl().run(&[
            "get",
            "events.events.k8s.io",
            "--namespace=servers",
            "--output=jsonpath={.items[*].regarding.name}",
        ])?;
        ensure!(about.split(' ').any(|name| name == "s-0"), "{about}");
        ensure!(logged("events are written again")?.len() == 1);
        Ok(())
    })?;
    ensure!(logged("events are not written")?.len() == 1);
    Ok(())
}

/// Rules depend on the labels of namespaces. Who may not read them says so and ends, and ends when it is asked to.
#[test]
fn without_the_permission_to_read_namespaces_the_operator_ends_with_a_sentence() -> Result<()> {
    let world = World::start("namespaces-forbidden")?;
    without(&world, OPERATOR, "", "namespaces")?;
    let folder = tempfile::tempdir()?;
    let kubectl = world.kubectl();
    let config = operator_kubeconfig(kubectl, kubectl.kubeconfig(), folder.path())?;
    let run = || {
        let mut command = Command::new(&world.own.environment.artifacts.operator);
        command
            .arg("run")
            .arg("--builtin-plugins")
            .arg(&world.own.environment.artifacts.plugins)
            .arg("--cache-dir")
            .arg(world.own.environment.logs.join("components"))
            .args([
                "--webhook-bind",
                "127.0.0.1:0",
                "--health-bind",
                "127.0.0.1:0",
                "--metrics-bind-address=0",
            ])
            .env("KUBECONFIG", &config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.spawn()
    };
    let began = Instant::now();
    let output = run()?.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = errors
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    ensure!(
        said.len() == 1 && said[0].contains("namespaces is forbidden"),
        "{errors}"
    );
    ensure!(output.status.code() == Some(1) && began.elapsed() < RECOVERY);

    let mut waiting = run()?;
    std::thread::sleep(Duration::from_secs(10));
    let id = waiting.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status()?;
    let ended = eventually("it ends", Duration::from_secs(10), || {
        waiting.try_wait()?.context("it still runs")
    });
    // Nothing of it stays behind, whatever came out.
    let _ = waiting.kill();
    ensure!(ended?.success(), "a signal is no failure");
    Ok(())
}
