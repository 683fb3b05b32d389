//! A server that runs elsewhere, that moves here, and away again.

use anyhow::{Context, Result, bail, ensure};
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

/// What admission says to a URL.
fn refused(world: &World, url: &str) -> Result<String> {
    match replace(world, json!({ "remote": { "url": url } })) {
        Ok(()) => bail!("{url} is admitted"),
        Err(refused) => Ok(format!("{refused:#}")),
    }
}

/// What the platform says about the namespace: `name=value`, or `name-` for nothing.
fn annotate(world: &World, annotation: &str) -> Result<()> {
    let annotation = format!("mcp.litellm.ai/{annotation}");
    let annotate = ["annotate", "namespace", NAMESPACE, &annotation];
    world.kubectl().run(&annotate).map(drop)
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
    // Without an operator, nobody answers.
    world.kubectl().run(&[
        "delete",
        "mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "--all",
    ])?;
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
    // It changes more often here than a namespace may.
    let unbounded = ["--registry-rollout-interval-seconds", "0"];
    let options = [&ATTENTIVE[..], &unbounded[..]].concat();
    let _operator = Operator::start_with(&world.own.environment, "remote", &kubeconfig, &options)?;

    // Nobody may send LiteLLM anywhere unless the platform says so.
    let said = refused(&world, ELSEWHERE)?;
    ensure!(
        said.contains("mcp.litellm.ai/remote-hosts=mcp.example.com"),
        "{said}"
    );
    annotate(&world, "remote-hosts=*")?;
    replace(&world, json!({ "remote": { "url": ELSEWHERE } }))?;
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

    // Not even that opens the cluster itself, and what the platform opens it can close.
    let said = refused(&world, "https://kubernetes.default.svc/api")?;
    ensure!(said.contains("an address of the cluster"), "{said}");
    let internal = "http://10.0.0.7:8080/mcp";
    annotate(&world, "internal-remote-hosts=10.0.0.0/24")?;
    replace(&world, json!({ "remote": { "url": internal } }))?;
    is_ready(&world, None, internal)?;
    annotate(&world, "internal-remote-hosts-")?;
    world.is("vendor", "LiteLLMRegistered", "False", "Forbidden")?;
    ensure!(!world.file()?.contains("servers_vendor:"));
    replace(&world, json!({ "remote": { "url": ELSEWHERE } }))?;
    is_ready(&world, None, ELSEWHERE)?;

    // Here: LiteLLM is told when a pod serves, and has the other one until then.
    replace(&world, here())?;
    let mut gaps = Vec::new();
    eventually("LiteLLM uses the Service", SOON, || {
        let file = world.file()?;
        let available = condition(&server(&world)?, "Available")["status"] == "True";
        if !(file.contains(ELSEWHERE) || file.contains(SERVICE) && available) {
            gaps.push(file.clone());
        }
        ensure!(file.contains(SERVICE), "{file}");
        Ok(())
    })?;
    ensure!(gaps.is_empty(), "nobody serves there: {gaps:?}");
    is_ready(&world, Some("1/1"), SERVICE)?;
    ensure!(objects(&world)?.len() > 3, "{:?}", objects(&world)?);

    // And away: the pods stay until LiteLLM was rolled out with the other address.
    replace(&world, json!({ "remote": { "url": ELSEWHERE } }))?;
    let (mut seen, mut gaps) = (false, Vec::new());
    eventually("its objects are gone", SOON, || {
        let objects = objects(&world)?;
        let found = server(&world)?;
        let registered = condition(&found, "LiteLLMRegistered");
        let is_current = registered["observedGeneration"] == found["metadata"]["generation"]
            && registered["status"] == "True";
        let has_deployment = objects.iter().any(|name| name.starts_with("deployment"));
        seen |= has_deployment;
        if !has_deployment && !is_current {
            gaps.push(registered);
        }
        ensure!(objects.is_empty(), "{objects:?}");
        Ok(())
    })?;
    ensure!(seen, "nobody saw its pods stay");
    ensure!(
        gaps.is_empty(),
        "the pods are gone before LiteLLM knows: {gaps:?}"
    );
    is_ready(&world, None, ELSEWHERE)?;
    let status = server(&world)?["status"].clone();
    let conditions = status["conditions"].as_array().context("no conditions")?;
    ensure!(conditions.len() == 3, "{status}");

    // Whom the platform does not trust any more, LiteLLM forgets.
    annotate(&world, "remote-hosts-")?;
    world.is("vendor", "LiteLLMRegistered", "False", "Forbidden")
}
