//! The operator's own life: what it says when it cannot start, and what a restart does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, ControlPlane, ControlPlaneOptions, Kubectl};
use mcp_e2e::{AuditLog, Environment, Operator, Request, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

fn started_with(environment: &Environment, kubeconfig: &str) -> Output {
    let mut command = Command::new(&environment.artifacts.operator);
    let cache = environment.logs.join("components");
    command
        .arg("run")
        .arg("--cache-dir")
        .arg(cache)
        .env("KUBECONFIG", kubeconfig)
        .env("RUST_BACKTRACE", "1");
    command.output().unwrap()
}

/// One sentence, a failure, and no backtrace.
fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = errors
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert!(
        lines.len() == 1 && !errors.contains("stack backtrace"),
        "{errors}"
    );
    lines[0].to_owned()
}

#[test]
fn without_a_cluster_it_says_so() -> Result<()> {
    let environment = Environment::open()?;
    assert!(said(&started_with(&environment, "/nowhere")).starts_with("error: no cluster: "));
    let folder = tempfile::tempdir()?;
    let unreachable = folder.path().join("kubeconfig");
    let config = std::fs::read_to_string(environment.kubectl.kubeconfig())?;
    let server = config
        .lines()
        .find(|line| line.contains("server:"))
        .unwrap();
    std::fs::write(
        &unreachable,
        config.replace(server, "    server: https://127.0.0.1:1"),
    )?;
    let error = said(&started_with(&environment, &unreachable.to_string_lossy()));
    assert!(
        error.starts_with("error: the API server https://127.0.0.1:1"),
        "{error}"
    );
    Ok(())
}

#[test]
fn without_the_definitions_it_says_how_to_install_them() -> Result<()> {
    let environment = Environment::open()?;
    let options = ControlPlaneOptions {
        name: "test-empty".into(),
        ..ControlPlaneOptions::default()
    };
    let empty = ControlPlane::start(&Cache::open()?, options)?;
    let error = said(&started_with(
        &environment,
        &empty.kubectl().kubeconfig().to_string_lossy(),
    ));
    assert_eq!(
        error,
        "error: the cluster does not know MCPServer and MCPPlugin: install the definitions with `kubectl apply --server-side -k crds`"
    );
    Ok(())
}

fn server(name: &str) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "metadata": { "name": name, "namespace": "life" },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "config": { "a": 1 },
            "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } }, "litellm": { "autoRegister": false },
        },
    })
}

fn finalizers_of_c(kubectl: &Kubectl, finalizers: &Value) -> Result<String> {
    let patch = json!({ "metadata": { "finalizers": finalizers } }).to_string();
    let server = ["patch", "mcpserver", "c", "--namespace=life"];
    kubectl.run(&[&server[..], &["--type=merge", "--patch", &patch]].concat())
}

#[test]
fn a_restart_writes_nothing_and_catches_up() -> Result<()> {
    let environment = Environment::open()?;
    let kubectl = &environment.kubectl;
    let mut operator = Operator::start(&environment, "lifecycle")?;
    kubectl.run(&["create", "namespace", "life"])?;
    let servers: Vec<Value> = ["a", "b", "c"].map(server).to_vec();
    kubectl.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": servers }).to_string())?;
    for condition in ["Ready", "LiteLLMRegistered=False"] {
        kubectl.run(&[
            "wait",
            "mcpservers",
            "--all",
            "--namespace=life",
            &format!("--for=condition={condition}"),
            "--timeout=60s",
        ])?;
    }

    let of_here = |request: &Request| request.object.starts_with("life/");
    let mut audit = AuditLog::new(environment.audit.as_deref().context("no audit log")?);
    audit.settled(of_here)?;
    operator.kill();
    let mut operator = Operator::start(&environment, "lifecycle-again")?;
    sleep(Duration::from_secs(5));
    let mut writes = audit.requests()?;
    writes.retain(|request| request.is_write() && of_here(request));
    ensure!(writes.is_empty(), "{writes:?}");

    // While nobody looks: an object is lost, and a server is deleted, also one that somebody else's finalizer held.
    finalizers_of_c(kubectl, &json!(["example.com/held"]))?;
    operator.kill();
    kubectl.run(&["delete", "service", "mcp-a", "--namespace=life"])?;
    kubectl.run(&["delete", "mcpserver", "b", "--namespace=life"])?;
    kubectl.run(&[
        "delete",
        "mcpserver",
        "c",
        "--namespace=life",
        "--wait=false",
    ])?;
    finalizers_of_c(kubectl, &json!(null))?;
    kubectl.run(&["wait", "mcpserver/c", "--namespace=life", "--for=delete"])?;
    let _operator = Operator::start(&environment, "lifecycle-at-last")?;
    eventually("the lost object is back", SOON, || {
        kubectl.run(&["get", "service", "mcp-a", "--namespace=life"])
    })?;
    // The garbage collector looks for new kinds every half minute.
    eventually(
        "what belonged to the deleted server is gone",
        3 * SOON,
        || {
            let left = kubectl.run(&[
                "get",
                "deployments,services,configmaps",
                "--namespace=life",
                "--output=name",
            ])?;
            ensure!(!left.contains("mcp-b"), "{left}");
            Ok(())
        },
    )
}
