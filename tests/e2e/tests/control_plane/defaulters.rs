//! What a defaulter may change: what it was granted, and nothing that would weaken a pod.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World, environment};

/// A plugin that adds this to all objects of a kind.
fn adding(kind: &str, path: &str, value: &str, grants: Value) -> Value {
    let fixtures = &environment().artifacts.fixtures;
    json!({
        "source": { "file": fixtures.join("mcp_plugin_fixture.wasm") },
        "settings": { "defaults": "add", "kind": kind, "path": path, "value": value }, "grants": grants,
    })
}

/// A field of the MCPServer is refused at admission until it is granted; then the status says who set it.
#[test]
fn a_defaulter_sets_what_it_is_granted_and_the_status_says_so() -> Result<()> {
    let world = World::new("granted-fields");
    let command = |grants| adding("MCPServer", "/spec/command", "['/serve','--safe']", grants);
    world.apply(&world.plugin("sets-fields", command(json!({}))))?;
    world.plugin_is("sets-fields", "True", "Standby")?;
    let manifest = world.server("a", json!({}));
    let refused = world.refused(&manifest);
    let expected = "plugin sets-fields: rule add changes spec.command of MCPServer, which it is not granted: add spec.command to spec.grants.fields of its MCPPlugin if it should";
    assert!(refused.contains(expected), "{refused}");

    world.apply(&world.plugin(
        "sets-fields",
        command(json!({ "fields": ["spec.command"] })),
    ))?;
    eventually("it is granted", SOON, || world.apply(&manifest).map(drop))?;
    let set_by = |plugin: &str| json!([{ "field": "spec.command", "plugin": plugin }]);
    let shows = |expected: Value| {
        eventually("the status says who set what", SOON, || {
            let server = world.get("mcpserver", "a")?;
            let shown = &server["status"]["defaults"];
            ensure!(*shown == expected, "{shown}");
            Ok(server)
        })
    };
    let server = shows(set_by("sets-fields"))?;
    assert_eq!(server["spec"]["command"], json!(["/serve", "--safe"]));
    let deployment = world.get("deployment", "mcp-a")?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["/serve", "--safe"]));

    // Another change of the user's leaves it as it is; the user's own word for the field ends it.
    world.apply(&world.server("a", json!({ "replicas": 1 })))?;
    shows(set_by("sets-fields"))?;
    world.kubectl.run(&["delete", "mcpplugin", "sets-fields"])?;
    world.apply(&world.server("a", json!({ "command": ["/own"] })))?;
    shows(Value::Null).map(drop)
}

/// Nobody can read an MCPServer with a label that is null: the user's apply would fail, and would not say by which plugin.
#[test]
fn a_label_that_a_defaulter_sets_to_null_is_not_stored() -> Result<()> {
    let world = World::new("empty-labels");
    let null = adding("MCPServer", "/metadata/labels/cost", "null", json!({}));
    world.apply(&world.plugin("sets-null", null))?;
    world.plugin_is("sets-null", "True", "Standby")?;
    let mut manifest = world.server("a", json!({}));
    manifest["metadata"]["labels"] = json!({ "team": "ai" });
    world.apply(&manifest)?;
    let stored = world.get("mcpserver", "a")?;
    assert_eq!(stored["metadata"]["labels"], json!({ "team": "ai" }));
    world
        .kubectl
        .run(&["delete", "mcpplugin", "sets-null"])
        .map(drop)
}

/// What stands in no MCPServer is refused at reconcile, and the objects stay as they are.
#[test]
fn a_defaulter_that_weakens_a_pod_changes_nothing() -> Result<()> {
    let world = World::new("weaker-pods");
    world.apply(&world.server("a", json!({})))?;
    world.deployed("a")?;
    let before = world.get("deployment", "mcp-a")?;
    for (path, value, field) in [
        (
            "/spec/template/spec/containers/0/env",
            "[{'name':'LD_PRELOAD','value':'/tmp/x.so'}]",
            "spec.template.spec.containers[0].env",
        ),
        (
            "/spec/template/spec/containers/0/securityContext/capabilities",
            "{'add':['SYS_ADMIN']}",
            "spec.template.spec.containers[0].securityContext.capabilities",
        ),
        (
            "/spec/template/metadata/annotations/iam.amazonaws.com~1role",
            "'admin'",
            "spec.template.metadata.annotations[iam.amazonaws.com/role]",
        ),
    ] {
        let plugin = adding("Deployment", path, value, json!({}));
        world.apply(&world.plugin("weaker-pods", plugin))?;
        eventually("the condition names the field", SOON, || {
            let found = world.condition("a", "DeploymentReady", "False", "PatchRefused")?;
            let message = found["message"].to_string();
            ensure!(
                message.contains("plugin weaker-pods: ") && message.contains(field),
                "{message}"
            );
            Ok(())
        })?;
        let after = world.get("deployment", "mcp-a")?;
        assert_eq!(
            after["metadata"]["generation"],
            before["metadata"]["generation"]
        );
    }
    world.kubectl.run(&["delete", "mcpplugin", "weaker-pods"])?;
    world.deployed("a").map(drop)
}
