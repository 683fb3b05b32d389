//! A server that was admitted before a rule became stricter.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::json;

use crate::world::{SOON, World};

#[test]
fn what_was_admitted_stays_editable_where_the_edit_leaves_alone_what_is_wrong() -> Result<()> {
    let world = World::new("ratchet");
    let namespace = ["--namespace", &world.namespace];
    let kubectl = |args: &[&str]| world.kubectl.run(&[args, &namespace].concat());
    // It looks for new kinds every half minute, and until then would not know whom to orphan.
    let owned_by = |name: &str, uid: &serde_json::Value| json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": true }]);
    let mut orphan = world.server("orphan", json!({}));
    orphan["metadata"]["ownerReferences"] =
        owned_by("nobody", &json!("0b1c8d1e-5f4a-4c1e-9d8e-7a1f0c2b3d4e"));
    world.apply(&orphan)?;
    eventually("the garbage collector knows MCPServers", 2 * SOON, || {
        world.is_gone("mcpserver", "orphan")
    })?;

    let parent = kubectl(&["create", "configmap", "parent", "--output=json"])?;
    let parent: serde_json::Value = serde_json::from_str(&parent)?;
    let mut server = world.server("a", json!({}));
    server["metadata"]["ownerReferences"] = owned_by("parent", &parent["metadata"]["uid"]);
    world.apply(&server)?;
    world.deployed("a")?;

    let rule = json!({ "source": { "builtin": "validation" }, "settings": { "allowedRegistries": ["ghcr.io/acme"] } });
    world.apply(&world.plugin("stricter", rule))?;
    world.plugin_is("stricter", "True", "InForce")?;
    world.condition("a", "SpecValid", "False", "")?;

    // People, GitOps and the garbage collector go on.
    kubectl(&["label", "mcpserver", "a", "cost=1"])?;
    let again = world.kubectl.pipe(
        &[
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename",
            "-",
        ],
        &server.to_string(),
    )?;
    ensure!(again.contains("serverside-applied"), "{again}");
    kubectl(&["scale", "mcpserver", "a", "--replicas=1"])?;
    ensure!(world.get("mcpserver", "a")?["spec"]["replicas"] == 1);
    kubectl(&[
        "delete",
        "configmap",
        "parent",
        "--cascade=orphan",
        "--wait=false",
    ])?;
    eventually("the garbage collector gets through", SOON, || {
        world.is_gone("configmap", "parent")?;
        let owners = world.get("mcpserver", "a")?["metadata"]["ownerReferences"].clone();
        ensure!(owners.is_null(), "{owners}");
        Ok(())
    })?;

    // What the edit is about is judged, and so is a new server.
    server["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("ownerReferences");
    for (field, value) in [
        ("repository", json!("docker.io/local/mcp-other")),
        ("repository", json!("quay.io/evil/mcp")),
    ] {
        let mut changed = server.clone();
        changed["spec"]["image"][field] = value;
        let refused = world.refused(&changed);
        ensure!(refused.contains("spec.image"), "{refused}");
    }
    let refused = kubectl(&["scale", "mcpserver", "a", "--replicas=0"]);
    let refused = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    ensure!(
        refused.contains("spec.replicas: Invalid value: 0"),
        "{refused}"
    );
    let refused = world.refused(&world.server("b", json!({})));
    ensure!(refused.contains("spec.image"), "{refused}");

    world.kubectl.run(&["delete", "mcpplugin", "stricter"])?;
    world.condition("a", "SpecValid", "True", "").map(drop)
}

/// It says the same of what is stored, if that is asked about in the name of whoever changes it.
#[test]
fn a_rule_about_who_asks_is_no_rule_that_was_broken_before() -> Result<()> {
    let world = World::new("ratchet-requester");
    let mut server = world.server("a", json!({}));
    server["metadata"]["labels"] = json!({ "protected": "yes" });
    world.apply(&server)?;
    let rule = json!({
        "name": "protected", "fieldPath": "metadata.labels.protected",
        "expression": "!has(object.metadata.labels.protected) || 'platform' in request.userInfo.groups",
        "message": "only the platform changes it",
    });
    let spec = json!({ "source": { "builtin": "cel" }, "settings": { "validations": [rule] } });
    world.apply(&world.plugin("protected", spec))?;
    world.plugin_is("protected", "True", "InForce")?;
    server["spec"]["image"]["tag"] = json!("2.0.0");
    let refused = world.refused(&server);
    ensure!(
        refused.contains("only the platform changes it"),
        "{refused}"
    );
    world
        .kubectl
        .run(&["delete", "mcpplugin", "protected"])
        .map(drop)
}
