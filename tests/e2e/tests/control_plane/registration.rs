//! Registration with a gateway: what LiteLLM does with it is tested on a real node.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World};

fn litellm() -> World {
    let world = World::new("litellm");
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "litellm-proxy", "namespace": "litellm" },
        "spec": {
            "selector": { "matchLabels": { "app": "litellm" } },
            "template": { "metadata": { "labels": { "app": "litellm" } }, "spec": { "containers": [{ "name": "a", "image": "a" }] } },
        },
    });
    world.kubectl.apply(&deployment.to_string()).unwrap();
    world
}

fn file(litellm: &World) -> Result<String> {
    Ok(
        litellm.get("configmap", "litellm-mcp-servers")?["data"]["mcp_servers.yaml"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

fn registered(world: &World, name: &str) -> Value {
    world.server(name, json!({ "litellm": { "autoRegister": true, "description": "It adds", "allowedUserGroups": ["b", "a"] } }))
}

/// One test, since the registry is one.
#[test]
fn a_server_is_registered_by_a_rollout_and_leaves_when_it_goes() -> Result<()> {
    let litellm = litellm();
    // Where its namespace was not there yet, it is tried again half a minute later.
    eventually("LiteLLM can start", SOON * 2, || {
        ensure!(file(&litellm)? == "{}\n");
        Ok(())
    })?;
    let world = World::allowed("registered", &[("access-groups", "a,b")]);
    world.apply(&registered(&world, "git-hub"))?;
    let found = world.condition("git-hub", "LiteLLMRegistered", "True", "Registered")?;
    assert_eq!(
        found["message"],
        "Registered with LiteLLM as registered_git_hub_q6o2b5hc"
    );
    let written = file(&litellm)?;
    for line in [
        "  registered_git_hub_q6o2b5hc:",
        r#"    url: "http://mcp-git-hub.registered.svc.cluster.local:8080/mcp""#,
        r#"    access_groups: ["a","b"]"#,
    ] {
        assert!(
            written.lines().any(|written| written == line),
            "{line} in {written}"
        );
    }
    let rolled = |litellm: &World| -> Result<Value> {
        let deployment = litellm.get("deployment", "litellm-proxy")?;
        Ok(
            deployment["spec"]["template"]["metadata"]["annotations"]["mcp.litellm.ai/rolled-to"]
                .clone(),
        )
    };
    let first = rolled(&litellm)?;
    assert!(first.is_string());

    // A rollout of the server changes nothing for LiteLLM.
    let mut changed = registered(&world, "git-hub");
    changed["spec"]["replicas"] = json!(3);
    world.apply(&changed)?;
    eventually("three pods", SOON, || {
        ensure!(world.get("mcpserver", "git-hub")?["status"]["ready"] == "3/3");
        Ok(())
    })?;
    world.condition("git-hub", "LiteLLMRegistered", "True", "Registered")?;
    assert_eq!(rolled(&litellm)?, first);

    a_rule_that_comes_later_decides_about_what_is_registered(&litellm, &world)?;
    what_somebody_writes_into_a_status_is_not_believed(&litellm, &world)?;

    // Opted out, and deleted.
    let mut out = registered(&world, "git-hub");
    out["spec"]["litellm"]["autoRegister"] = json!(false);
    world.apply(&out)?;
    world.condition("git-hub", "LiteLLMRegistered", "False", "NotRegistered")?;
    world.condition("git-hub", "Ready", "True", "Ready")?;
    world.kubectl.run(&[
        "delete",
        "mcpserver",
        "--all",
        "--namespace",
        &world.namespace,
    ])?;
    eventually("the file is empty again", SOON, || {
        ensure!(file(&litellm)? == "{}\n");
        Ok(())
    })
}

fn a_rule_that_comes_later_decides_about_what_is_registered(
    litellm: &World,
    world: &World,
) -> Result<()> {
    let deployment = world.get("deployment", "mcp-git-hub")?["metadata"]["generation"].clone();
    let rule = |on_existing: &str| {
        let spec = json!({
            "source": { "builtin": "validation" }, "onExisting": on_existing,
            "settings": { "allowedRegistries": ["registry.example/approved"] },
        });
        world.plugin("registry-of-git-hub", spec)
    };
    world.apply(&rule("Keep"))?;
    world.condition("git-hub", "SpecValid", "False", "")?;
    world.condition("git-hub", "LiteLLMRegistered", "True", "Registered")?;
    world.apply(&rule("Deregister"))?;
    let says = world.condition("git-hub", "LiteLLMRegistered", "False", "Forbidden")?;
    let message = says["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("rules in force forbid it: spec.image"),
        "{message}"
    );
    ensure!(file(litellm)? == "{}\n", "{}", file(litellm)?);
    world
        .kubectl
        .run(&["delete", "mcpplugin", "registry-of-git-hub"])?;
    world.condition("git-hub", "LiteLLMRegistered", "True", "Registered")?;
    let now = world.get("deployment", "mcp-git-hub")?;
    ensure!(
        now["metadata"]["generation"] == deployment,
        "its pods were replaced"
    );
    Ok(())
}

/// By somebody with more permissions than a team needs.
fn what_somebody_writes_into_a_status_is_not_believed(
    litellm: &World,
    world: &World,
) -> Result<()> {
    // It gets no pod: those of the other server are all that there may be.
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "three", "namespace": world.namespace },
        "spec": { "hard": { "pods": "3" } },
    });
    world.kubectl.apply(&quota.to_string())?;
    world.apply(&registered(world, "never"))?;
    world.condition("never", "Available", "False", "")?;
    let lie = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2000-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    let lies = [
        lie("Available", "True", "PodsServe"),
        lie("LiteLLMRegistered", "True", "Registered"),
    ];
    let patch = json!({ "status": { "conditions": lies } }).to_string();
    let arguments = [
        "patch",
        "mcpserver",
        "never",
        "--subresource=status",
        "--type=merge",
    ];
    let place = ["--namespace", &world.namespace, "--patch", &patch];
    world.kubectl.run(&[&arguments[..], &place].concat())?;
    world.condition("never", "Available", "False", "")?;
    world.condition("never", "LiteLLMRegistered", "False", "NotRegistered")?;
    ensure!(!file(litellm)?.contains("never"), "{}", file(litellm)?);
    world
        .kubectl
        .run(&[
            "delete",
            "mcpserver",
            "never",
            "--namespace",
            &world.namespace,
        ])
        .map(drop)
}
