//! One key of a ConfigMap that others write too.

use anyhow::{Result, ensure};
use mcp_e2e::{Operator, eventually};
use serde_json::json;

use crate::world::{ATTENTIVE, SOON, World};

#[test]
fn of_a_config_map_of_others_only_the_key_is_touched() -> Result<()> {
    let world = World::start("sharing")?;
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "litellm-config", "namespace": "litellm",
            "labels": { "app.kubernetes.io/managed-by": "Helm" }, "annotations": { "a": "b" },
        },
        "data": { "config.yaml": "include: [mcp.yaml]\n" },
    });
    world.kubectl().apply(&theirs.to_string())?;
    world.allow_gateway("litellm", "litellm-config,litellm-proxy")?;
    let place = json!({ "configMap": "litellm-config", "key": "mcp.yaml" });
    let granted =
        json!({ "namespace": "litellm", "name": "litellm-config", "writeKeys": ["mcp.yaml"] });
    let spec = json!({ "settings": place, "grants": { "configMaps": [granted] } });
    world.change_plugin("litellm-configmap", &spec)?;
    let kubeconfig = world.kubectl().kubeconfig().to_owned();
    let _operator =
        Operator::start_with(&world.own.environment, "sharing", &kubeconfig, &ATTENTIVE)?;
    world.apply_servers(&["a".into()])?;
    world.registered("a", "Registered")?;
    let key = |key: &str| world.key("litellm", "litellm-config", key);
    ensure!(key("mcp.yaml")?.contains("servers_a:"));

    // They change theirs, and ours stays; somebody changes ours, and it comes back. LiteLLM may have read that meanwhile.
    let rolled = world.rollouts()?;
    let mut changed = theirs.clone();
    changed["data"]["config.yaml"] = json!("include: [mcp.yaml] # changed\n");
    world.kubectl().apply(&changed.to_string())?;
    let break_it = json!({ "data": { "mcp.yaml": "{}" } }).to_string();
    world.kubectl().run(&[
        "patch",
        "configmap",
        "litellm-config",
        "--namespace=litellm",
        "--type=merge",
        "--patch",
        &break_it,
    ])?;
    eventually("ours is whole again, and read", SOON, || {
        let (ours, rolled_now) = (key("mcp.yaml")?, world.rollouts()?);
        ensure!(ours.contains("servers_a:"), "{ours}");
        ensure!(rolled_now == rolled + 1, "{rolled_now}");
        Ok(())
    })?;
    let found = world.kubectl().json(&[
        "get",
        "configmap",
        "litellm-config",
        "--namespace=litellm",
        "--show-managed-fields",
    ])?;
    assert_eq!(found["data"]["config.yaml"], changed["data"]["config.yaml"]);
    assert_eq!(found["metadata"]["labels"], theirs["metadata"]["labels"]);
    assert_eq!(found["metadata"]["annotations"]["a"], "b");
    let managed = found["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let ours = managed
        .iter()
        .find(|entry| entry["manager"] == "mcp-operator-registry");
    assert_eq!(
        ours.map(|entry| entry["fieldsV1"].clone()),
        Some(json!({ "f:data": { "f:mcp.yaml": {} } }))
    );
    Ok(())
}
