//! What these tests share.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{capture, repository};
use mcp_e2e::{OwnCluster, eventually};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

pub(super) const DEFINITION: &str = "mcpservers.mcp.litellm.ai";
/// Kinds as `kubectl` takes them, by version.
pub(super) const ALPHA: &str = "mcpservers.v1alpha1.mcp.litellm.ai";
pub(super) const BETA: &str = "mcpservers.v1beta1.mcp.litellm.ai";

/// Runs the operator's program as the administrator of this cluster.
pub(super) fn program(world: &World, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(&world.own.environment.artifacts.operator);
    command
        .args(arguments)
        .env("KUBECONFIG", world.kubectl().kubeconfig());
    capture(&mut command)
}

/// Applies the definitions, as an upgrade does.
pub(super) fn apply_definitions(world: &World) -> Result<()> {
    let crds = repository().join("crds");
    let crds = crds.to_string_lossy();
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--kustomize",
        &crds,
    ];
    world.kubectl().run(&apply).map(drop)
}

/// Has this version served as the newest, and waits until the API server does.
pub(super) fn serve(world: &World, newest: &str) -> Result<()> {
    program(world, &["crd", "mcpservers", "--apply", "--serve", newest])?;
    served(world, newest)
}

/// Waits until the API server prefers this version.
pub(super) fn served(world: &World, newest: &str) -> Result<()> {
    eventually("the API server knows what is served", RECOVERY, || {
        let group = world
            .kubectl()
            .run(&["get", "--raw=/apis/mcp.litellm.ai"])?;
        let group: Value = serde_json::from_str(&group)?;
        let preferred = &group["preferredVersion"]["version"];
        ensure!(*preferred == newest, "{preferred}");
        Ok(())
    })
}

pub(super) fn get(world: &World, kind: &str, name: &str) -> Result<Value> {
    world.get(kind, name)
}

/// A server that says something in every field that the versions name differently.
pub(super) fn alpha(name: &str) -> Value {
    server(
        "v1alpha1",
        name,
        &json!({
            "affinity": { "podAntiAffinity": "required", "zoneSpread": "none" },
            "observability": {
                "tracing": { "enabled": true, "jaegerEndpoint": "http://otel.monitoring:4317", "samplingRate": 0.1 },
                "healthProbes": { "liveness": { "path": "/live" }, "readiness": {}, "startup": {} },
            },
            "secrets": [{ "name": "token", "awsSecretKey": "servers/token", "optional": false }],
            "litellm": { "autoRegister": false, "allowedUserGroups": ["servers"] },
        }),
    )
}

/// The same.
pub(super) fn beta(name: &str) -> Value {
    server(
        "v1beta1",
        name,
        &json!({
            "spread": { "nodes": "required", "zones": "none" },
            "probes": { "liveness": { "path": "/live" }, "readiness": {}, "startup": {} },
            "observability": {
                "tracing": { "enabled": true, "endpoint": "http://otel.monitoring:4317", "samplingRate": 0.1 },
            },
            "secrets": [{ "name": "token", "key": "servers/token", "optional": false }],
            "litellm": { "autoRegister": false, "accessGroups": ["servers"] },
        }),
    )
}

fn server(version: &str, name: &str, more: &Value) -> Value {
    let mut server = json!({
        "apiVersion": format!("mcp.litellm.ai/{version}"), "kind": "MCPServer",
        "metadata": { "name": name, "namespace": OwnCluster::NAMESPACE },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
            "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } },
            "config": { "ratio": 0.300_000_000_000_000_04, "number": 9_007_199_254_740_993_i64 },
        },
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        server["spec"][field] = value.clone();
    }
    server
}

/// That everything that is said in `wanted` is found, perhaps with more.
pub(super) fn says(found: &Value, wanted: &Value) -> Result<()> {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            for (name, wanted) in wanted {
                let found = found.get(name).with_context(|| format!("no {name}"))?;
                says(found, wanted).with_context(|| name.clone())?;
            }
        }
        (Value::Array(found), Value::Array(wanted)) if found.len() == wanted.len() => {
            for (found, wanted) in found.iter().zip(wanted) {
                says(found, wanted)?;
            }
        }
        _ => ensure!(found == wanted, "{found} instead of {wanted}"),
    }
    Ok(())
}
