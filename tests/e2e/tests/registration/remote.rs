//! A server that runs elsewhere, that moves here, and away again.

use anyhow::{Context, Result, ensure};
use mcp_e2e::{Operator, eventually};
use serde_json::{Value, json};

use crate::world::{ATTENTIVE, NAMESPACE, SOON, World, condition};

const ELSEWHERE: &str = "https://mcp.example.com/mcp";
const SERVICE: &str = "http://mcp-vendor.servers.svc.cluster.local:8080/mcp";

/// The server, with nothing else in its specification.
fn replace(world: &World, spec: Value) -> Result<()> {
    let server = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "vendor", "namespace": NAMESPACE }, "spec": spec,
    });
    world.kubectl().apply(&server.to_string()).map(drop)
}

fn here() -> Value {
    json!({
        "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "replicas": 1,
        "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } },
    })
}

fn server(world: &World) -> Result<Value> {
    let get = ["get", "mcpserver", "vendor", "--namespace", NAMESPACE];
    world.kubectl().json(&get)
}

/// Kinds of its objects that are there.
fn objects(world: &World) -> Result<Vec<String>> {
    let found = world.kubectl().run(&[
        "get",
        "deployments,services,serviceaccounts,configmaps,poddisruptionbudgets,networkpolicies,pods",
        "--namespace",
        NAMESPACE,
        "--selector=mcp.litellm.ai/server=vendor",
        "--output=name",
    ])?;
    Ok(found.lines().map(str::to_owned).collect())
}

fn is_ready(world: &World, ready: Option<&str>, endpoint: &str) -> Result<()> {
    world.registered("vendor", "Registered")?;
    eventually("it is ready", SOON, || {
        let found = server(world)?;
        let status = &found["status"];
        ensure!(status["phase"] == "Ready", "{status}");
        ensure!(condition(&found, "Ready")["status"] == "True", "{status}");
        ensure!(status["ready"].as_str() == ready, "{status}");
        ensure!(status["endpoints"]["mcp"] == endpoint, "{status}");
        ensure!(world.file()?.contains(&format!("url: \"{endpoint}\"")));
        Ok(())
    })
}

/// The transport that is stored for a server that names none.
fn stored_transport(world: &World, name: &str) -> Result<String> {
    let manifest = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": { "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "litellm": { "autoRegister": false } },
    });
    world.kubectl().apply(&manifest.to_string())?;
    let get = ["get", "mcpserver", name, "--namespace", NAMESPACE];
    let found = world.kubectl().json(&get)?;
    Ok(found["spec"]["transport"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

fn set_default_transport(world: &World, transport: &str) -> Result<()> {
    let path =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/transport/default";
    let patch = json!([{ "op": "replace", "path": path, "value": transport }]).to_string();
    let kind = [
        "patch",
        "crd",
        "mcpservers.mcp.litellm.ai",
        "--type=json",
        "--patch",
    ];
    world
        .kubectl()
        .run(&[&kind[..], &[patch.as_str()]].concat())?;
    // The API server takes a definition in when it comes to it.
    let mut tries = 0;
    eventually("the default is in force", SOON, || {
        tries += 1;
        let found = stored_transport(world, &format!("probe-{transport}-{tries}"))?;
        ensure!(found == transport, "{found}");
        Ok(())
    })
}

/// The API server writes a default into an object when it is made, so that a new one changes nothing that is stored.
#[test]
fn a_new_default_changes_no_stored_transport() -> Result<()> {
    let world = World::start("transport")?;
    set_default_transport(&world, "sse")?;
    ensure!(stored_transport(&world, "old")? == "sse");
    set_default_transport(&world, "http")?;
    ensure!(stored_transport(&world, "old")? == "sse", "applied again");
    ensure!(stored_transport(&world, "new")? == "http");
    Ok(())
}

#[test]
fn a_remote_server_is_registered_has_no_objects_and_moves_without_a_gap() -> Result<()> {
    let world = World::start("remote")?;
    let kubeconfig = world.kubectl().kubeconfig().to_owned();
    let _operator =
        Operator::start_with(&world.own.environment, "remote", &kubeconfig, &ATTENTIVE)?;

    // Nobody may send LiteLLM anywhere unless the platform says so.
    replace(&world, json!({ "remote": { "url": ELSEWHERE } }))?;
    world.is("vendor", "SpecValid", "False", "Invalid")?;
    let said = condition(&server(&world)?, "SpecValid")["message"].to_string();
    ensure!(
        said.contains("mcp.litellm.ai/remote-hosts=mcp.example.com"),
        "{said}"
    );
    world.kubectl().run(&[
        "annotate",
        "namespace",
        NAMESPACE,
        "mcp.litellm.ai/remote-hosts=*",
    ])?;
    is_ready(&world, None, ELSEWHERE)?;
    ensure!(objects(&world)?.is_empty(), "{:?}", objects(&world)?);
    let found = server(&world)?;
    let kinds = ["DeploymentReady", "Available", "ServiceMonitorCreated"];
    for kind in kinds {
        ensure!(condition(&found, kind).is_null(), "{}", found["status"]);
    }
    let columns = [
        "get",
        "mcpserver",
        "vendor",
        "--namespace",
        NAMESPACE,
        "--no-headers",
    ];
    let line = world.kubectl().run(&columns)?;
    ensure!(line.contains(ELSEWHERE) && line.contains("Ready"), "{line}");

    // Not even that opens the cluster itself.
    replace(
        &world,
        json!({ "remote": { "url": "https://kubernetes.default.svc/api" } }),
    )?;
    world.is("vendor", "SpecValid", "False", "Invalid")?;
    let said = condition(&server(&world)?, "SpecValid")["message"].to_string();
    ensure!(said.contains("an address of the cluster"), "{said}");
    eventually("LiteLLM forgets it", SOON, || {
        let file = world.file()?;
        ensure!(!file.contains("servers_vendor"), "{file}");
        Ok(())
    })?;
    replace(&world, json!({ "remote": { "url": ELSEWHERE } }))?;
    is_ready(&world, None, ELSEWHERE)?;

    // Here: LiteLLM is told when a pod serves, and has the other one until then.
    replace(&world, here())?;
    eventually("LiteLLM uses the Service", SOON, || {
        let file = world.file()?;
        let available = condition(&server(&world)?, "Available")["status"] == "True";
        ensure!(
            file.contains(ELSEWHERE) || available,
            "no pod serves: {file}"
        );
        ensure!(file.contains("servers_vendor:"), "it is away: {file}");
        ensure!(file.contains(SERVICE), "{file}");
        Ok(())
    })?;
    is_ready(&world, Some("1/1"), SERVICE)?;
    ensure!(objects(&world)?.len() > 3, "{:?}", objects(&world)?);

    // And away: the pods stay until LiteLLM was rolled out with the other address.
    replace(&world, json!({ "remote": { "url": ELSEWHERE } }))?;
    let mut seen = false;
    eventually("its objects are gone", SOON, || {
        let objects = objects(&world)?;
        let found = server(&world)?;
        let registered = condition(&found, "LiteLLMRegistered");
        let is_current = registered["observedGeneration"] == found["metadata"]["generation"]
            && registered["status"] == "True";
        let has_deployment = objects.iter().any(|name| name.starts_with("deployment"));
        seen |= has_deployment;
        ensure!(
            has_deployment || is_current,
            "the pods are gone before LiteLLM knows: {registered}"
        );
        ensure!(objects.is_empty(), "{objects:?}");
        Ok(())
    })?;
    ensure!(seen, "nobody saw its pods stay");
    is_ready(&world, None, ELSEWHERE)?;
    let status = server(&world)?["status"].clone();
    let conditions = status["conditions"].as_array().context("no conditions")?;
    ensure!(conditions.len() == 3, "{status}");

    // What the platform takes back, LiteLLM forgets.
    world.kubectl().run(&[
        "annotate",
        "namespace",
        NAMESPACE,
        "mcp.litellm.ai/remote-hosts-",
    ])?;
    world.is("vendor", "LiteLLMRegistered", "False", "Forbidden")
}
