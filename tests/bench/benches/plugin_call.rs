//! What it costs to ask a plugin: native parse and rules beside the same rules in a component, each call in a fresh
//! instance. `cargo xtask bench`; the budget for one plugin is 3 times native.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use criterion::Criterion;
use mcp_plugin_host::contract::{DefaultingRequest, GroupVersionKind, Operation, Request, Stage};
use mcp_plugin_host::{Compiler, Host, HostConfig, Limits, Plugin, compile};
use mcp_plugin_sdk::{McpServer, Validator};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use validation::{Settings, Validation};

const GROUP: &str = "ask-about-one-server";
const NATIVE: &str = "native-parse-and-six-rules";
const ONE: &str = "validation-plugin";
const ALL: &str = "all-plugins";

fn main() -> ExitCode {
    // The host calls this program to compile components.
    if std::env::args().any(|argument| argument == "compile-component") {
        return compile::child_main();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let results = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("plugin_call");
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let plugins = load(&runtime, &results)?;
    let server = server().to_string();
    let mut criterion = Criterion::default()
        .output_directory(&results)
        .configure_from_args();
    let mut group = criterion.benchmark_group(GROUP);
    group.bench_function(NATIVE, |bencher| bencher.iter(|| native(&server)));
    group.bench_function(ONE, |bencher| {
        bencher.iter(|| runtime.block_on(validate(&plugins.validation, &server)));
    });
    group.bench_function(ALL, |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                defaults(&plugins.compliance, &server).await;
                validate(&plugins.validation, &server).await;
                validate(&plugins.team_label, &server).await;
            });
        });
    });
    group.finish();
    report(&results)
}

struct Plugins {
    validation: Plugin,
    compliance: Plugin,
    team_label: Plugin,
}

fn load(runtime: &Runtime, results: &Path) -> Result<Plugins> {
    let compiler = Compiler::new(std::env::current_exe()?, ["compile-component"]);
    let host = Host::new(HostConfig::new(results.join("components"), compiler))?;
    let folder = std::env::var_os("MCP_TEST_PLUGINS")
        .context("MCP_TEST_PLUGINS is not set: run this with `cargo xtask bench`")?;
    let load = |name: &str| -> Result<Plugin> {
        let bytes = std::fs::read(Path::new(&folder).join(format!("{name}.wasm")))
            .with_context(|| format!("cannot read {name}.wasm"))?;
        Ok(runtime.block_on(host.load(name, &bytes))?)
    };
    Ok(Plugins {
        validation: load("validation")?,
        compliance: load("compliance")?,
        team_label: load("require_team_label")?,
    })
}

/// What the API server sends for the example of the architecture: its defaults, and what `kubectl apply` notes.
fn server() -> Value {
    let mut server = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": {
            "name": "github", "namespace": "litellm",
            "labels": { "mcp.litellm.ai/category": "vcs", "team": "platform-engineering" },
        },
        "spec": {
            "type": "external-saas", "transport": "sse", "replicas": 2,
            "image": { "repository": "123456789012.dkr.ecr.us-east-1.amazonaws.com/mcp-github", "tag": "1.0.0", "pullPolicy": "IfNotPresent" },
            "podDisruptionBudget": { "minAvailable": 1 },
            "affinity": { "podAntiAffinity": "preferred" },
            "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "cpu": "500m", "memory": "512Mi" } },
            "config": { "githubOrg": "your-organization", "maxSearchResults": 100, "logLevel": "info" },
            "secrets": [
                { "name": "github-token", "awsSecretKey": "mcp/github/token", "optional": false },
                { "name": "github-app-id", "awsSecretKey": "mcp/github/app-id", "optional": true },
            ],
            "aws": { "iamRole": "arn:aws:iam::123456789012:role/mcp-github-role" },
            "observability": {
                "metrics": { "enabled": true, "port": 8080, "path": "/metrics", "interval": "30s" },
                "tracing": { "enabled": true, "jaegerEndpoint": "http://jaeger-all-in-one.monitoring.svc.cluster.local:4318", "samplingRate": 1.0 },
                "healthProbes": {
                    "liveness": { "path": "/health", "initialDelaySeconds": 10, "periodSeconds": 10 },
                    "readiness": { "path": "/ready", "initialDelaySeconds": 5, "periodSeconds": 5 },
                },
            },
            "litellm": { "autoRegister": true, "allowedUserGroups": ["litellm-developers", "litellm-admins"] },
        },
    });
    let applied = server.to_string();
    let metadata = &mut server["metadata"];
    metadata["annotations"] =
        json!({ "kubectl.kubernetes.io/last-applied-configuration": applied });
    metadata["uid"] = json!("0c6ff1c0-9b5c-4a8f-8d2b-1f1f1f1f1f1f");
    metadata["generation"] = json!(1);
    metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let spec = &mut server["spec"];
    spec["port"] = json!(8080);
    spec["terminationGracePeriodSeconds"] = json!(30);
    spec["podDisruptionBudget"]["enabled"] = json!(true);
    spec["affinity"]["zoneSpread"] = json!("preferred");
    server
}

/// The same without a component: the object is read, and the rules are asked.
fn native(server: &str) {
    let typed: Option<McpServer> = serde_json::from_str(server).ok();
    if let Some(typed) = typed {
        let request = mcp_plugin_sdk::Request::default();
        std::hint::black_box(Validation::validate(&Settings::default(), &typed, &request));
    }
}

async fn validate(plugin: &Plugin, server: &str) {
    let request = Request {
        operation: Operation::Create,
        stage: Stage::Admission,
        kind: GroupVersionKind {
            group: "mcp.litellm.ai",
            version: "v1alpha1",
            kind: "MCPServer",
        },
        name: "github",
        namespace: Some("litellm"),
        user: None,
        dry_run: false,
        object: Some(server),
        old_object: None,
        context: &[],
    };
    std::hint::black_box(
        plugin
            .validate("{}", &request, &Limits::default())
            .await
            .is_ok(),
    );
}

async fn defaults(plugin: &Plugin, server: &str) {
    let request = DefaultingRequest {
        stage: Stage::Admission,
        server,
        objects: &[server],
        context: &[],
    };
    std::hint::black_box(
        plugin
            .defaults("{}", &request, &Limits::default())
            .await
            .is_ok(),
    );
}

fn report(results: &Path) -> Result<()> {
    let native = median(results, NATIVE)?;
    println!(
        "\n| one MCPServer of {} bytes | median | ratio |\n|---|---|---|",
        server().to_string().len()
    );
    for name in [NATIVE, ONE, ALL] {
        let time = median(results, name)?;
        println!(
            "| {name} | {:.1} \u{b5}s | {:.2} |",
            time / 1000.0,
            time / native
        );
    }
    Ok(())
}

/// In nanoseconds.
fn median(results: &Path, name: &str) -> Result<f64> {
    let file = results.join(GROUP).join(name).join("new/estimates.json");
    let estimates = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    let estimates: Value = serde_json::from_str(&estimates)?;
    estimates["median"]["point_estimate"]
        .as_f64()
        .context("no median")
}
