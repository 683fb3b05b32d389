//! Ways around a rule that do not break it openly.

use anyhow::{Context, Result, ensure};
use mcp_e2e::{eventually, holds_for};
use serde_json::{Value, json};
use std::time::Duration;

use crate::team::Team;
use crate::world::{SOON, World, condition};

/// Long enough for several reconciles.
const A_WHILE: Duration = Duration::from_secs(5);

/// What is leaving is not judged, so that it can go. A finalizer keeps it for as long as a team likes: nothing that it says
/// then has an effect.
#[test]
fn a_server_that_is_kept_from_leaving_changes_nothing_any_more() -> Result<()> {
    let team = Team::new("detour-finalizer")?;
    let mut server = team.world.server("a", json!({}));
    server["metadata"]["finalizers"] = json!(["example.com/stay"]);
    team.run(&["create", "--filename", "-"], &server.to_string())?;
    team.world.deployed("a")?;
    let before = team.world.get("deployment", "mcp-a")?["metadata"]["generation"].clone();
    team.run(&["delete", "mcpserver", "a", "--wait=false"], "")?;
    let forbidden = json!({ "spec": {
        "image": { "repository": "evil.example/shell", "tag": "latest" }, "aws": { "iamRole": "arn:aws:iam::111122223333:role/payments" },
    } });
    let patch = [
        "patch",
        "mcpserver",
        "a",
        "--type=merge",
        "--patch",
        &forbidden.to_string(),
    ];
    // Whether the API server takes it does not matter.
    let _ = team.run(&patch, "");
    holds_for("nothing changes", A_WHILE, || {
        let deployment = team.world.get("deployment", "mcp-a")?;
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        ensure!(image == "docker.io/local/mcp-weather:1.0.0", "{image}");
        ensure!(
            deployment["metadata"]["generation"] == before,
            "{deployment}"
        );
        let account = team.world.get("serviceaccount", "mcp-a")?;
        ensure!(account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].is_null());
        Ok(())
    })?;
    let free = r#"{"metadata":{"finalizers":null}}"#;
    team.run(
        &["patch", "mcpserver", "a", "--type=merge", "--patch", free],
        "",
    )?;
    eventually("it is gone", SOON, || team.world.is_gone("mcpserver", "a"))
}

/// The note of what plugins set is the webhook's. Who writes it could make a value seem to be the platform's.
#[test]
fn a_team_does_not_say_who_set_what() -> Result<()> {
    let team = Team::new("detour-authors")?;
    let mut server = team.world.server("a", json!({ "replicas": 3 }));
    let note = r#"{"compliance":["spec.replicas","spec.image","spec.image.tag"]}"#;
    server["metadata"]["annotations"] = json!({ "mcp.litellm.ai/defaults": note });
    team.run(&["create", "--filename", "-"], &server.to_string())?;
    team.world.deployed("a")?;
    let server = team.world.get("mcpserver", "a")?;
    let defaults = server["status"]["defaults"].to_string();
    ensure!(
        !defaults.contains("spec.image") && !defaults.contains("spec.replicas"),
        "{defaults}"
    );
    let noted = server["metadata"]["annotations"]["mcp.litellm.ai/defaults"].to_string();
    ensure!(!noted.contains("spec.image"), "{noted}");
    Ok(())
}

/// The labels by which the operator and its Services find what is theirs.
#[test]
fn a_server_with_the_labels_of_another_one_is_not_taken_for_it() -> Result<()> {
    let team = Team::new("detour-labels")?;
    team.apply(json!({}))?;
    team.world.deployed("a")?;
    let mut second = team.world.server("b", json!({}));
    second["metadata"]["labels"] = json!({
        "app.kubernetes.io/instance": "a", "app.kubernetes.io/name": "mcp-server", "app.kubernetes.io/managed-by": "somebody",
        "mcp.litellm.ai/server": "a",
    });
    // A label of ours may be refused; where it is not, it is no pod's.
    if team
        .run(&["create", "--filename", "-"], &second.to_string())
        .is_err()
    {
        return Ok(());
    }
    team.world.deployed("b")?;
    let pods = |server: &str| -> Result<usize> {
        let service = team.world.get("service", &format!("mcp-{server}"))?;
        let selector = service["spec"]["selector"]
            .as_object()
            .context("no selector")?;
        let selector: Vec<String> = selector
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        let found = team.world.kubectl.run(&[
            "get",
            "pods",
            "--namespace",
            &team.world.namespace,
            "--selector",
            &selector.join(","),
            "--output=name",
        ])?;
        Ok(found.lines().count())
    };
    ensure!((pods("a")?, pods("b")?) == (2, 2));
    Ok(())
}

/// Sizes that are written in another way, or come by another door.
#[test]
fn what_is_too_much_is_too_much_however_it_is_asked_for() -> Result<()> {
    let team = Team::new("detour-size")?;
    team.apply(json!({}))?;
    for (spec, field) in [
        (
            json!({ "autoscaling": { "minReplicas": 1, "maxReplicas": 900 } }),
            "spec.autoscaling.maxReplicas",
        ),
        (
            json!({ "resources": { "limits": { "cpu": "9e3" } } }),
            "spec.resources.limits",
        ),
        (
            json!({ "resources": { "limits": { "memory": "17179869185" } } }),
            "spec.resources.limits",
        ),
        (
            json!({
                "networkPolicy": { "enabled": true },
                "observability": { "tracing": { "enabled": true, "jaegerEndpoint": "http://kubernetes.default.svc:443" } },
            }),
            "spec.observability.tracing.jaegerEndpoint",
        ),
        (
            json!({ "image": { "repository": "docker.io/local/../evil/shell" } }),
            "spec.image.repository",
        ),
    ] {
        let refused = team.refused(spec)?;
        ensure!(refused.contains(field), "{field}: {refused}");
    }
    // By the subresource, as an autoscaler or a person with more rights would.
    let scale = [
        "scale",
        "mcpserver/a",
        "--replicas=900",
        "--namespace",
        &team.world.namespace,
    ];
    let refused = team
        .world
        .kubectl
        .run(&scale)
        .err()
        .context("it was scaled")?
        .to_string();
    ensure!(refused.contains("spec.replicas"), "{refused}");
    Ok(())
}

/// The endpoint of traces may be an address: no rule opens the way to those at which clouds give nodes their identity.
#[test]
fn traces_are_no_way_to_the_identity_of_a_node() -> Result<()> {
    let team = Team::new("detour-traces")?;
    for endpoint in [
        "http://169.254.169.254:80",
        "http://[fd00:ec2::254]:80",
        "http://[::ffff:169.254.169.254]:80",
        "http://2852039166:80",
    ] {
        let spec = json!({
            "networkPolicy": { "enabled": true },
            "observability": { "tracing": { "enabled": true, "jaegerEndpoint": endpoint } },
        });
        if team.apply(spec).is_err() {
            continue;
        }
        team.world.deployed("a")?;
        let policy = team.world.get("networkpolicy", "mcp-a")?["spec"]["egress"].to_string();
        for address in ["169.254", "a9fe", "fd00:ec2", "2852039166"] {
            ensure!(!policy.contains(address), "{endpoint}: {policy}");
        }
    }
    Ok(())
}

/// Everybody who may read the status would read it.
#[test]
fn a_value_that_breaks_a_rule_is_in_no_condition() -> Result<()> {
    let team = Team::new("detour-values")?;
    let secret = "hunter2-hunter2-hunter2";
    let spec =
        json!({ "env": [{ "name": "TOKEN", "value": secret }], "config": { "password": secret } });
    team.apply(spec)?;
    team.world.deployed("a")?;
    // Somebody takes back what the server needs, and every rule speaks.
    team.allow("mcp.litellm.ai/max-replicas=1")?;
    team.world.condition("a", "SpecValid", "False", "")?;
    let server = team.world.get("mcpserver", "a")?;
    let conditions: &Value = &server["status"];
    ensure!(!conditions.to_string().contains("hunter2"), "{conditions}");
    let events = team.world.kubectl.run(&[
        "get",
        "events.events.k8s.io",
        "--namespace",
        &team.world.namespace,
        "--output=json",
    ])?;
    let notes: Value = serde_json::from_str(&events)?;
    for event in notes["items"].as_array().into_iter().flatten() {
        ensure!(!event["note"].to_string().contains("hunter2"), "{event}");
    }
    ensure!(condition(&server, "SpecValid").is_some());
    Ok(())
}

/// Objects that are not the team's, by a name that the operator would give its own.
#[test]
fn a_team_gets_nothing_of_another_namespace_by_an_owner_that_it_names() -> Result<()> {
    let team = Team::new("detour-owner")?;
    let other = World::new("detour-owner-victim");
    other.apply(&other.server("a", json!({})))?;
    other.deployed("a")?;
    let victim = other.get("mcpserver", "a")?;
    let mut server = team.world.server("a", json!({}));
    server["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "name": "a", "uid": victim["metadata"]["uid"], "controller": true,
    }]);
    // The garbage collector takes it away again: its owner is not in this namespace.
    let _ = team.run(&["create", "--filename", "-"], &server.to_string());
    holds_for("the other server is as it was", A_WHILE, || {
        let found = other.get("mcpserver", "a")?;
        ensure!(
            found["metadata"]["uid"] == victim["metadata"]["uid"],
            "{found}"
        );
        other.get("deployment", "mcp-a").map(drop)
    })
}
