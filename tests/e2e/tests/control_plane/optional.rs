//! APIs that may be there or not: External Secrets and the Prometheus operator come and go while the operator runs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use mcp_cluster::Definitions;
use mcp_e2e::{eventually, holds_for, install_definition};
use serde_json::{Value, json};

use crate::world::{SOON, World};

const SYNCED: &str = "ExternalSecretSynced";

fn remove(world: &World, definition: &Path) -> Result<()> {
    let file = definition.to_string_lossy();
    world
        .kubectl
        .run(&["delete", "--ignore-not-found", "--filename", &file])
        .map(drop)
}

/// What External Secrets writes about an ExternalSecret.
fn answer(world: &World, name: &str, status: &str, reason: &str, message: &str) -> Result<()> {
    let patch = json!({ "status": { "conditions": [{ "type": "Ready", "status": status, "reason": reason, "message": message }] } });
    world
        .kubectl
        .run(&[
            "patch",
            "externalsecret",
            name,
            "--namespace",
            &world.namespace,
            "--subresource=status",
            "--type=merge",
            "--patch",
            &patch.to_string(),
        ])
        .map(drop)
}

/// The Secret that External Secrets makes: with the labels of its ExternalSecret.
fn secret(world: &World, name: &str, value: &str) -> Result<()> {
    let labels = world.get("externalsecret", name)?["metadata"]["labels"].clone();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": world.namespace, "labels": labels },
        "stringData": { "token": value },
    });
    world.apply(&secret).map(drop)
}

fn template(world: &World) -> Result<(Value, Value)> {
    let deployment = world.get("deployment", "mcp-a")?;
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    Ok((
        annotations["mcp.litellm.ai/secret-hash"].clone(),
        deployment["metadata"]["generation"].clone(),
    ))
}

/// One test, because the definition is one for the whole cluster.
#[test]
fn external_secrets_come_and_go() -> Result<()> {
    let world = World::allowed("external-secrets", &[("secret-keys", "mcp/*")]);
    let definition = Definitions::fetch()?.external_secrets;
    let secrets = json!([
        { "name": "token", "awsSecretKey": "mcp/a/token" },
        { "name": "app-id", "awsSecretKey": "mcp/a/app-id", "optional": true },
    ]);
    world.apply(&world.server("a", json!({ "secrets": secrets })))?;
    world.condition("a", SYNCED, "False", "ApiNotInstalled")?;
    world.deployed("a")?;

    install_definition(&world.kubectl, &definition)?;
    world.condition("a", SYNCED, "Unknown", "Waiting")?;
    let made = world.get("externalsecret", "mcp-a-secrets")?;
    assert_eq!(made["metadata"]["ownerReferences"][0]["kind"], "MCPServer");
    assert_eq!(
        made["spec"]["secretStoreRef"]["name"],
        "aws-secrets-manager"
    );
    assert_eq!(made["spec"]["data"][0]["remoteRef"]["key"], "mcp/a/token");
    world.get("externalsecret", "mcp-a-secrets-app-id")?;

    // What External Secrets says is what the status says.
    answer(
        &world,
        "mcp-a-secrets",
        "False",
        "SecretSyncedError",
        "no such key: mcp/a/token",
    )?;
    let failed = world.condition("a", SYNCED, "False", "SecretSyncedError")?;
    assert_eq!(
        failed["message"],
        "ExternalSecret mcp-a-secrets: no such key: mcp/a/token"
    );
    secret(&world, "mcp-a-secrets", "first")?;
    answer(
        &world,
        "mcp-a-secrets",
        "True",
        "SecretSynced",
        "secret synced",
    )?;
    world.condition("a", SYNCED, "True", "SecretSynced")?;

    rotates(&world)?;

    // An optional secret that is no longer asked for.
    world.apply(&world.server(
        "a",
        json!({ "secrets": [{ "name": "token", "awsSecretKey": "mcp/a/token" }] }),
    ))?;
    eventually("the ExternalSecret goes", SOON, || {
        world.is_gone("externalsecret", "mcp-a-secrets-app-id")
    })?;
    let made = world.get("externalsecret", "mcp-a-secrets")?;

    let again = world.writes_when_asked_again("a")?;
    ensure!(again.is_empty(), "{again:?}");
    world.kubectl.run(&[
        "delete",
        "externalsecret",
        "mcp-a-secrets",
        "--namespace",
        &world.namespace,
    ])?;
    eventually("it is back", SOON, || {
        let found = world.get("externalsecret", "mcp-a-secrets")?;
        ensure!(found["metadata"]["uid"] != made["metadata"]["uid"]);
        Ok(())
    })?;
    world.apply(&world.server("a", json!({})))?;
    eventually("the last ExternalSecret goes", SOON, || {
        world.is_gone("externalsecret", "mcp-a-secrets")
    })?;
    world.apply(&world.server(
        "a",
        json!({ "secrets": [{ "name": "token", "awsSecretKey": "mcp/a/token" }] }),
    ))?;
    world.condition("a", SYNCED, "Unknown", "Waiting")?;

    remove(&world, &definition)?;
    world.condition("a", SYNCED, "False", "ApiNotInstalled")?;
    world.condition("a", "Ready", "True", "Ready").map(drop)
}

/// New data replaces the pods once; anything else about a Secret does not (stacklok/toolhive#3179).
fn rotates(world: &World) -> Result<()> {
    // Its first appearance is only noted: pods that wait for it get it by themselves.
    eventually("the Secret is seen", SOON, || {
        let deployment = world.get("deployment", "mcp-a")?;
        let seen = &deployment["metadata"]["annotations"]["mcp.litellm.ai/secrets-seen"];
        ensure!(
            seen.as_str()
                .is_some_and(|seen| seen.contains("mcp-a-secrets"))
        );
        Ok(())
    })?;
    let (first, before) = template(world)?;
    secret(world, "mcp-a-secrets", "second")?;
    let (second, after) = eventually("the pods are replaced", SOON, || {
        let (hash, generation) = template(world)?;
        ensure!(hash != first, "the same hash");
        Ok((hash, generation))
    })?;
    assert_eq!(
        after.as_i64(),
        before.as_i64().map(|before| before + 1),
        "once"
    );
    world.kubectl.run(&[
        "annotate",
        "secret",
        "mcp-a-secrets",
        "--namespace",
        &world.namespace,
        "looked=at",
    ])?;
    holds_for("the pods stay", Duration::from_secs(2), || {
        ensure!(template(world)? == (second.clone(), after.clone()));
        Ok(())
    })
}

#[test]
fn the_prometheus_operator_comes_and_goes() -> Result<()> {
    let world = World::new("prometheus");
    let definition = Definitions::fetch()?.service_monitors;
    let created = "ServiceMonitorCreated";
    world.apply(&world.server(
        "a",
        json!({ "observability": { "metrics": { "enabled": true, "port": 9090 } } }),
    ))?;
    world.condition("a", created, "False", "ApiNotInstalled")?;
    world.condition("a", "Ready", "True", "Ready")?;

    install_definition(&world.kubectl, &definition)?;
    world.condition("a", created, "True", "Created")?;
    let monitor = world.get("servicemonitor", "mcp-a")?;
    assert_eq!(monitor["metadata"]["labels"]["release"], "kube-prometheus");
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], "metrics");
    let again = world.writes_when_asked_again("a")?;
    ensure!(again.is_empty(), "{again:?}");

    // Deleted by somebody: it comes back. Switched off: it is gone, and so is what is said about it.
    world.kubectl.run(&[
        "delete",
        "servicemonitor",
        "mcp-a",
        "--namespace",
        &world.namespace,
    ])?;
    eventually("it is back", SOON, || world.get("servicemonitor", "mcp-a"))?;
    world.apply(&world.server(
        "a",
        json!({ "observability": { "metrics": { "enabled": false } } }),
    ))?;
    eventually("it goes", SOON, || world.is_gone("servicemonitor", "mcp-a"))?;
    eventually("nothing is said about it", SOON, || {
        let conditions = world.get("mcpserver", "a")?["status"]["conditions"].to_string();
        ensure!(!conditions.contains(created), "{conditions}");
        Ok(())
    })?;

    world.apply(&world.server(
        "a",
        json!({ "observability": { "metrics": { "enabled": true } } }),
    ))?;
    world.condition("a", created, "True", "Created")?;
    remove(&world, &definition)?;
    world
        .condition("a", created, "False", "ApiNotInstalled")
        .map(drop)
}
