//! How often the cluster and LiteLLM are asked for a burst of new servers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mcp_cluster::{
    Cache, ControlPlane, ControlPlaneOptions, Kubectl, LiteLlm, LiteLlmDatabase, RealNode,
    repository,
};
use mcp_e2e::{
    AuditLog, Environment, Installer, Operator, Request, eventually, install_definitions,
    install_into_node, install_plugins,
};
use serde_json::{Value, json};

const SERVERS: usize = 1000;
/// LiteLLM takes ever longer for each server, the more it has.
const LONGEST: Duration = Duration::from_mins(30);
const NAMESPACE: &str = "burst";

/// On a control plane with simulated pods; its audit log counts.
pub(crate) fn by_the_file() -> Result<()> {
    let options = ControlPlaneOptions {
        name: "bench-registration".into(),
        audit: true,
        ..ControlPlaneOptions::default()
    };
    let cluster = ControlPlane::start(&Cache::open()?, options)?;
    let kubectl = cluster.kubectl();
    install_definitions(kubectl)?;
    install_plugins(kubectl)?;
    for namespace in [NAMESPACE, "litellm"] {
        kubectl.run(&["create", "namespace", namespace])?;
    }
    kubectl.apply(&litellm().to_string())?;
    let environment = Environment {
        kubectl: kubectl.clone(),
        ..Environment::open()?
    };
    let mut audit = AuditLog::new(&cluster.audit_log().context("no audit log")?);
    let _operator = Operator::start_as_shipped(&environment, "bench-registration")?;
    std::thread::sleep(Duration::from_secs(5));
    audit.requests()?;
    let took = register(kubectl)?;
    let requests = audit.requests()?;
    let writes = |resource: &str, object: &str| {
        let is = |request: &&Request| {
            request.is_write() && request.resource == resource && request.object == object
        };
        requests.iter().filter(is).count()
    };
    println!("\n| a burst of {SERVERS} servers | by the file | by the admin API |\n|---|---|---|");
    println!(
        "| writes of the ConfigMap | {} | |",
        writes("configmaps", "litellm/litellm-mcp-servers")
    );
    println!(
        "| rollouts of LiteLLM | {} | |",
        writes("deployments", "litellm/litellm-proxy")
    );
    println!(
        "| from the first server to the last that is registered | {:.0} s | |",
        took.as_secs_f64()
    );
    Ok(())
}

/// On a real node with a real LiteLLM; its own log counts. The servers' pods are simulated: there is one machine.
pub(crate) fn by_the_admin_api() -> Result<()> {
    let cache = Cache::open()?;
    let litellm = LiteLlm::install(&cache)?;
    let database = LiteLlmDatabase::install(&cache, &litellm)?;
    let mut node = RealNode::start(&cache)?;
    let artifacts = Environment::open()?.artifacts;
    install_into_node(
        &node,
        &artifacts.images(&node.logs().join("images"))?,
        Installer::Kustomize,
    )?;
    litellm.deploy(&node)?;
    database.deploy(node.kubectl())?;
    node.simulate_further_pods()?;
    let kubectl = node.kubectl();
    let key = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "litellm-mcp-operator", "namespace": "mcp-operator-system" },
        "stringData": { "token": LiteLlm::KEY },
    });
    kubectl.apply(&key.to_string())?;
    let registrar = repository().join("deploy/overlays/litellm-admin-api/registrar.yaml");
    kubectl.run(&["apply", "--filename", &registrar.to_string_lossy()])?;
    kubectl.run(&[
        "wait",
        "mcpplugin/litellm-admin-api",
        "--for=condition=Registrar",
        "--timeout=180s",
    ])?;
    kubectl.run(&["create", "namespace", NAMESPACE])?;
    let before = sent(kubectl)?;
    let took = register(kubectl)?;
    println!(
        "| requests that change something in LiteLLM | | {} |",
        sent(kubectl)? - before
    );
    println!(
        "| from the first server to the last that is registered | | {:.0} s |",
        took.as_secs_f64()
    );
    Ok(())
}

/// Requests to LiteLLM that change MCP servers, by its access log.
fn sent(kubectl: &Kubectl) -> Result<usize> {
    let log = kubectl.run(&[
        "logs",
        "deployment/litellm-proxy",
        "--namespace=litellm",
        "--tail=-1",
    ])?;
    let changes = |line: &&str| {
        [
            "\"POST /v1/mcp/server",
            "\"PUT /v1/mcp/server",
            "\"DELETE /v1/mcp/server",
        ]
        .iter()
        .any(|request| line.contains(request))
    };
    Ok(log.lines().filter(changes).count())
}

/// Applies all servers, and waits until all are registered.
fn register(kubectl: &Kubectl) -> Result<Duration> {
    let servers: Vec<Value> = (0..SERVERS).map(server).collect();
    let began = Instant::now();
    kubectl.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": servers }).to_string())?;
    eventually("all are registered", LONGEST, || {
        let registered = kubectl.run(&[
            "get",
            "mcpservers",
            "--namespace",
            NAMESPACE,
            r#"--output=jsonpath={.items[*].status.conditions[?(@.type=="LiteLLMRegistered")].status}"#,
        ])?;
        let count = registered
            .split(' ')
            .filter(|status| *status == "True")
            .count();
        ensure!(count == SERVERS, "{count} of {SERVERS} are registered");
        Ok(())
    })?;
    Ok(began.elapsed())
}

fn server(number: usize) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": format!("s-{number}"), "namespace": NAMESPACE },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "replicas": 1,
            "resources": { "limits": { "cpu": "10m", "memory": "8Mi" } },
        },
    })
}

fn litellm() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "litellm-proxy", "namespace": "litellm" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "litellm" } },
            "template": { "metadata": { "labels": { "app": "litellm" } }, "spec": { "containers": [{ "name": "a", "image": "a" }] } },
        },
    })
}
