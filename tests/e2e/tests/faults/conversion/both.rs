//! One object, whichever version it is asked for in.

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Operator, OwnCluster, eventually};
use serde_json::{Value, json};

use super::support::{ALPHA, BETA, DEFINITION, alpha, beta, get, says, serve};
use crate::world::{RECOVERY, World};

fn apply_as(world: &World, manager: &str, object: &Value) -> Result<String> {
    let manager = format!("--field-manager={manager}");
    let apply = ["apply", "--server-side", &manager, "--filename=-"];
    world.kubectl().pipe(&apply, &object.to_string())
}

#[test]
fn what_is_written_in_one_version_is_read_in_the_other() -> Result<()> {
    let world = World::start("versions")?;
    let _operator = Operator::start(&world.own.environment, "versions")?;
    serve(&world, "v1beta1")?;
    for (object, name) in [
        (beta("from-beta"), "from-beta"),
        (alpha("from-alpha"), "from-alpha"),
    ] {
        apply_as(&world, "team", &object)?;
        says(&get(&world, ALPHA, name)?["spec"], &alpha(name)["spec"])?;
        says(&get(&world, BETA, name)?["spec"], &beta(name)["spec"])?;
        // What nobody names, the newest is.
        says(
            &get(&world, "mcpserver", name)?,
            &json!({ "apiVersion": "mcp.litellm.ai/v1beta1" }),
        )?;
    }
    // The operator reads what is stored, and its status is that of both.
    eventually("it has objects", RECOVERY, || {
        let deployment = world.get("deployment", "mcp-from-beta")?;
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        ensure!(
            container["livenessProbe"]["httpGet"]["path"] == "/live",
            "{container}"
        );
        let status = get(&world, BETA, "from-beta")?["status"].clone();
        ensure!(status["observedGeneration"] == 1, "{status}");
        Ok(())
    })?;
    two_managers(&world)?;
    rules(&world)?;
    scale(&world)?;
    explain(&world)?;
    the_manifests_stay_applicable(&world)
}

/// Each of two people has their fields, and keeps them.
fn two_managers(world: &World) -> Result<()> {
    let name = "shared";
    let mut base = alpha(name);
    base["spec"]["litellm"] = json!({ "autoRegister": false });
    apply_as(world, "team", &base)?;
    let of = |groups: &[&str]| {
        json!({
            "apiVersion": "mcp.litellm.ai/v1beta1", "kind": "MCPServer",
            "metadata": { "name": name, "namespace": OwnCluster::NAMESPACE },
            "spec": { "litellm": { "accessGroups": groups } },
        })
    };
    apply_as(world, "platform", &of(&["servers"]))?;
    let found = get(world, ALPHA, name)?;
    assert_eq!(
        found["spec"]["litellm"]["allowedUserGroups"],
        json!(["servers"])
    );
    // What the other one has is a conflict, by whatever name.
    let mut taken = base.clone();
    taken["spec"]["litellm"]["allowedUserGroups"] = json!([]);
    let conflict = apply_as(world, "team", &taken)
        .err()
        .context("no conflict")?;
    ensure!(format!("{conflict:#}").contains("conflict"), "{conflict:#}");
    // And what is not said any more goes.
    apply_as(world, "team", &base)?;
    apply_as(world, "platform", &of(&[]))?;
    let found = get(world, ALPHA, name)?;
    assert_eq!(found["spec"]["litellm"]["allowedUserGroups"], json!([]));
    says(&found["spec"], &base["spec"])?;
    // The operator writes its status meanwhile.
    let theirs = || -> Result<Vec<Value>> {
        let namespace = format!("--namespace={}", OwnCluster::NAMESPACE);
        let show = ["get", ALPHA, name, &namespace, "--show-managed-fields"];
        let found = world.kubectl().json(&show)?;
        let managers = found["metadata"]["managedFields"].as_array();
        let is_theirs = |it: &&Value| it["manager"] == "team" || it["manager"] == "platform";
        Ok(managers
            .into_iter()
            .flatten()
            .filter(is_theirs)
            .cloned()
            .collect())
    };
    let before = theirs()?;
    assert_eq!(before.len(), 2);
    apply_as(world, "team", &base)?;
    apply_as(world, "platform", &of(&[]))?;
    assert_eq!(theirs()?, before, "and again changes nothing");
    Ok(())
}

/// Rules are about what is stored, and are asked about every version.
fn rules(world: &World) -> Result<()> {
    let mut bad = beta("bad");
    bad["spec"]["image"]["tag"] = json!("latest");
    bad["spec"]["secrets"] = json!([{ "name": "token" }]);
    let refused = apply_as(world, "team", &bad)
        .err()
        .context("it is admitted")?;
    let refused = format!("{refused:#}");
    for words in ["spec.image.tag", "spec.secrets[0].awsSecretKey"] {
        ensure!(refused.contains(words), "{refused}");
    }
    // The schema's own words are those of the version that is written.
    let mut bad = beta("bad");
    bad["spec"]["observability"]["tracing"]["endpoint"] = json!("otel:4317");
    let refused = apply_as(world, "team", &bad)
        .err()
        .context("it is admitted")?;
    let refused = format!("{refused:#}");
    ensure!(
        refused.contains("spec.observability.tracing.endpoint"),
        "{refused}"
    );
    Ok(())
}

fn scale(world: &World) -> Result<()> {
    let namespace = format!("--namespace={}", OwnCluster::NAMESPACE);
    let scale = |kind: &str, replicas: &str| {
        let replicas = format!("--replicas={replicas}");
        let scale = ["scale", kind, "from-beta", &namespace, &replicas];
        world.kubectl().run(&scale)
    };
    for (kind, replicas) in [(BETA, 3), (ALPHA, 2)] {
        scale(kind, &replicas.to_string())?;
        assert_eq!(
            get(world, ALPHA, "from-beta")?["spec"]["replicas"],
            replicas
        );
        let refused = scale(kind, "100").err().context("it is admitted")?;
        ensure!(
            format!("{refused:#}").contains("may have 20 pods"),
            "{refused:#}"
        );
    }
    Ok(())
}

fn explain(world: &World) -> Result<()> {
    let explained = |version: &str, field: &str| {
        let version = format!("--api-version=mcp.litellm.ai/{version}");
        let field = format!("mcpservers.spec.{field}");
        world.kubectl().run(&["explain", &field, &version])
    };
    let found = explained("v1beta1", "secrets.key")?;
    ensure!(
        found.contains("Key in what the secret store reads"),
        "{found}"
    );
    ensure!(explained("v1beta1", "probes.liveness.path").is_ok());
    ensure!(explained("v1alpha1", "secrets.awsSecretKey").is_ok());
    ensure!(explained("v1alpha1", "secrets.key").is_err());
    Ok(())
}

/// Whoever applies the definitions again neither takes the authority away nor is refused.
fn the_manifests_stay_applicable(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let conversion = || -> Result<Value> {
        let found = kubectl.json(&["get", "crd", DEFINITION])?;
        Ok(found["spec"]["conversion"].clone())
    };
    let before = conversion()?;
    ensure!(
        before["webhook"]["clientConfig"]["caBundle"].is_string(),
        "{before}"
    );
    super::support::apply_definitions(world)?;
    assert_eq!(conversion()?, before);
    super::support::served(world, "v1alpha1")
}
