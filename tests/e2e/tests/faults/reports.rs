//! Who breaks which rule, in Reports of openreports.io.

use anyhow::{Result, bail, ensure};
use mcp_cluster::{Definitions, Kubectl};
use mcp_e2e::{OPERATOR_USER, Operator, Request, eventually, install_definition};
use serde_json::{Value, json};

use crate::quiet;
use crate::world::{RECOVERY, World};

const RULE: &str = "two-replicas";

/// A rule that wants two replicas.
fn rule(kubectl: &Kubectl, mode: &str, exceptions: &Value) -> Result<()> {
    let validation = json!({
        "name": "two", "expression": "object.spec.replicas >= 2", "fieldPath": "spec.replicas",
        "message": "say why one is enough",
    });
    let plugin = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": RULE },
        "spec": {
            "source": { "builtin": "cel" }, "mode": mode, "exceptions": exceptions,
            "settings": { "validations": [validation] },
        },
    });
    kubectl.apply(&plugin.to_string()).map(drop)
}

/// A Report of another engine, where the operator's would be.
fn foreign(namespace: &str) -> Value {
    json!({
        "apiVersion": "openreports.io/v1alpha1", "kind": "Report",
        "metadata": { "name": "mcp-operator", "namespace": namespace }, "source": "kyverno",
    })
}

fn report(world: &World, namespace: &str) -> Result<Value> {
    let namespace = ["--namespace", namespace];
    let get = ["get", "reports.openreports.io", "mcp-operator"];
    world.kubectl().json(&[&get[..], &namespace].concat())
}

/// Server, outcome and field of each result.
fn results(report: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let results = report["results"].as_array().into_iter().flatten();
    results
        .map(|result| {
            (
                text(&result["resources"][0]["name"]),
                text(&result["result"]),
                text(&result["properties"]["field"]),
            )
        })
        .collect()
}

fn told(world: &World, expected: &[(&str, &str)]) -> Result<Value> {
    let what = format!("the Report tells {expected:?}");
    eventually(&what, RECOVERY, || {
        let report = report(world, "servers")?;
        let found = results(&report);
        let said: Vec<(&str, &str)> = found
            .iter()
            .map(|(server, outcome, _)| (server.as_str(), outcome.as_str()))
            .collect();
        ensure!(said == expected, "{found:?}");
        Ok(report)
    })
}

fn gone(world: &World) -> Result<()> {
    eventually("the Report is gone", RECOVERY, || {
        ensure!(report(world, "servers").is_err(), "it is still there");
        Ok(())
    })
}

fn nothing_is_written(world: &mut World, when: &str) -> Result<()> {
    world.settled()?;
    quiet::nothing_is_written(world, when)
}

#[test]
fn who_breaks_a_rule_is_told_before_it_enforces() -> Result<()> {
    let mut world = World::start("reports")?;
    let kubectl = world.kubectl().clone();
    let mut operator = Operator::start(&world.own.environment, "reports")?;
    rule(&kubectl, "audit", &json!([]))?;
    world.apply_with(0..2, &json!({ "replicas": 1 }))?;
    eventually("the status counts them", RECOVERY, || {
        let found = &kubectl.json(&["get", "mcpplugin", RULE])?["status"]["violatingServers"];
        ensure!(*found == 2, "{found}");
        Ok(())
    })?;

    // Without the API nobody asks for it.
    let asked = world.settled()?;
    let asked: Vec<_> = asked.iter().filter(|it| it.resource == "reports").collect();
    ensure!(asked.is_empty(), "{asked:?}");

    install_definition(&kubectl, &Definitions::fetch()?.reports)?;
    let first = told(&world, &[("s-0", "warn"), ("s-1", "warn")])?;
    ensure!(results(&first)[0].2 == "spec.replicas", "{first}");
    let summary = json!({ "pass": 0, "fail": 0, "warn": 2, "error": 0, "skip": 0 });
    ensure!(first["summary"] == summary, "{first}");
    let asked = world.settled()?;
    let is_write = |it: &&Request| it.resource == "reports" && it.is_write();
    let writes: Vec<_> = asked.iter().filter(is_write).collect();
    ensure!(writes.len() == 1, "{writes:?}");
    let said = &first["results"][0];
    ensure!(said["policy"] == RULE && said["rule"] == "two", "{said}");
    ensure!(said["message"].to_string().contains("say why"), "{said}");
    nothing_is_written(&mut world, "while nothing changes")?;
    operator.kill();
    operator = Operator::start(&world.own.environment, "reports-again")?;
    nothing_is_written(&mut world, "after a restart")?;

    // One is mended, the rule enforces, one is excepted.
    world.apply_with(0..1, &json!({ "replicas": 2 }))?;
    told(&world, &[("s-1", "warn")])?;
    rule(&kubectl, "enforce", &json!([]))?;
    told(&world, &[("s-1", "fail")])?;
    let until = "2999-01-31T00:00:00Z";
    let exception =
        json!({ "namespace": "servers", "name": "s-1", "owner": "ann", "until": until });
    rule(&kubectl, "enforce", &json!([exception]))?;
    let excepted = told(&world, &[("s-1", "skip")])?;
    let properties = &excepted["results"][0]["properties"];
    ensure!(
        properties["owner"] == "ann" && properties["until"] == until,
        "{properties}"
    );

    // Somebody deletes it, and it comes back; switched off, it goes and stays away.
    kubectl.run(&[
        "delete",
        "reports.openreports.io",
        "mcp-operator",
        "--namespace=servers",
    ])?;
    told(&world, &[("s-1", "skip")])?;
    operator.kill();
    let off = ["--enable-reports=false"];
    operator = Operator::start_told(&world.own.environment, "reports-off", &off, &[])?;
    gone(&world)?;
    nothing_is_written(&mut world, "switched off")?;
    operator.kill();
    let _operator = Operator::start(&world.own.environment, "reports-on")?;
    told(&world, &[("s-1", "skip")])?;

    // Nothing is broken any more.
    kubectl.run(&["delete", "mcpplugin", RULE])?;
    gone(&world)?;
    nothing_is_written(&mut world, "without the rule")
}

#[test]
fn a_report_of_somebody_else_stays_as_it_is() -> Result<()> {
    let mut world = World::start("reports-foreign")?;
    let kubectl = world.kubectl().clone();
    install_definition(&kubectl, &Definitions::fetch()?.reports)?;
    eventually("there are Reports", RECOVERY, || {
        kubectl.apply(&foreign("servers").to_string())
    })?;
    let before = report(&world, "servers")?;
    let _operator = Operator::start(&world.own.environment, "reports-foreign")?;
    rule(&kubectl, "audit", &json!([]))?;
    world.apply_with(0..1, &json!({ "replicas": 1 }))?;
    let reason = "--field-selector=reason=ForeignReport";
    let events = ["get", "events", "--namespace=servers", reason];
    eventually("it is told", RECOVERY, || {
        let events = kubectl.json(&events)?;
        let about = &events["items"][0]["involvedObject"];
        ensure!(about["kind"] == "Report", "{events}");
        Ok(())
    })?;
    nothing_is_written(&mut world, "beside somebody else's")?;
    ensure!(report(&world, "servers")? == before);
    let told = kubectl.json(&events)?;
    ensure!(told["items"].as_array().map(Vec::len) == Some(1), "{told}");
    only_its_own_report_is_written_whatever_roles_say(&world)
}

/// By the admission policy alone: as the operator's account, which may do everything here.
fn only_its_own_report_is_written_whatever_roles_say(world: &World) -> Result<()> {
    let as_operator = |args: &[&str], input: &Value| {
        let user = format!("--as={OPERATOR_USER}");
        let who = [&user, "--as-group=system:masters", "--dry-run=server"];
        let args = [args, &who].concat();
        world.kubectl().pipe(&args, &input.to_string())
    };
    let apply = |object: &Value| {
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
        ];
        as_operator(&apply, object)
    };
    let refused = |what: &str, answer: Result<String>| {
        let Err(error) = answer else {
            bail!("{what} was accepted");
        };
        let error = error.to_string();
        ensure!(error.contains("the operator never does"), "{what}: {error}");
        Ok(())
    };
    let ours = |namespace: &str| {
        let mut ours = foreign(namespace);
        ours["metadata"]["labels"] = json!({ "app.kubernetes.io/managed-by": "mcp-operator" });
        ours
    };
    apply(&ours("litellm"))?;
    refused("one without the label", apply(&foreign("litellm")))?;
    refused("what is somebody else's", apply(&ours("servers")))?;
    let delete = ["delete", "reports.openreports.io/mcp-operator"];
    let delete = [&delete[..], &["--namespace=servers"]].concat();
    refused("a deletion of that", as_operator(&delete, &Value::Null))?;
    let mut other = ours("litellm");
    other["metadata"]["name"] = json!("polr-1");
    refused("another name", apply(&other))?;
    let mut owned = ours("litellm");
    owned["metadata"]["finalizers"] = json!(["example.com/a"]);
    refused("one that cannot be deleted", apply(&owned))?;
    Ok(())
}
