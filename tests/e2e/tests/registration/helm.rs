//! `helm upgrade --install --wait` of a chart with one MCPServer comes back when that is ready, and not before.

use anyhow::{Result, ensure};
use mcp_cluster::{Cache, Helm};
use mcp_e2e::Operator;
use serde_json::{Value, json};

use crate::gateway::start;
use crate::world::{ATTENTIVE, NAMESPACE, World, condition};

const RELEASE: &str = "charted";

fn server(world: &World) -> Result<Value> {
    let get = ["get", "mcpserver", RELEASE, "--namespace", NAMESPACE];
    world.kubectl().json(&get)
}

fn is_ready(world: &World) -> Result<()> {
    let server = server(world)?;
    let ready = condition(&server, "Ready");
    ensure!(ready["status"] == "True", "{}", server["status"]);
    ensure!(
        ready["observedGeneration"] == server["metadata"]["generation"],
        "{}",
        server["status"]
    );
    Ok(())
}

#[test]
fn helm_waits_until_a_server_is_ready_and_says_when_it_cannot_be() -> Result<()> {
    let (world, litellm) = start("helm")?;
    let helm = Helm::build(&Cache::open()?, world.kubectl())?;
    let kubeconfig = world.kubectl().kubeconfig();
    let environment = &world.own.environment;
    let _operator = Operator::start_with(environment, "helm", kubeconfig, &ATTENTIVE)?;
    let upgrade =
        |timeout: &str, values: &[&str]| helm.upgrade(RELEASE, NAMESPACE, timeout, values);
    upgrade("120s", &[])?;
    is_ready(&world)?;
    ensure!(litellm.description(RELEASE).as_deref() == Some("By a chart"));
    // An upgrade of what LiteLLM shows, of the pods, and of nothing.
    for (tag, description) in [
        ("1.0.0", "Another"),
        ("1.0.1", "Another"),
        ("1.0.1", "Another"),
    ] {
        let values = [format!("tag={tag}"), format!("description={description}")];
        upgrade("120s", &values.each_ref().map(String::as_str))?;
        is_ready(&world)?;
        let known = litellm.description(RELEASE);
        ensure!(known.as_deref() == Some(description), "{known:?}");
        let get = ["get", "deployment", "mcp-charted", "--namespace", NAMESPACE];
        let deployment = world.kubectl().json(&get)?;
        let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].to_string();
        ensure!(image.ends_with(&format!(":{tag}\"")), "{image}");
    }
    // What admission refuses is an error at once.
    let refused = upgrade("120s", &["tag=latest"]);
    let said = refused.err().map(|error| format!("{error:#}"));
    let said = said.unwrap_or_default();
    ensure!(said.contains("spec.image.tag"), "{said}");
    // One that cannot be made ready by waiting.
    let theirs = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "mcp-taken", "namespace": NAMESPACE },
        "spec": { "ports": [{ "port": 80 }] },
    });
    world.kubectl().apply(&theirs.to_string())?;
    let refused = helm.upgrade("taken", NAMESPACE, "20s", &[]);
    let said = refused.err().map(|error| format!("{error:#}"));
    let said = said.unwrap_or_default();
    ensure!(said.contains("taken"), "{said}");
    Ok(())
}
