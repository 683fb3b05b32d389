//! The cost of a call of a plugin, beside the same parsing and rules as native code; each call has a fresh instance.
//! `cargo xtask bench plugin`; the budget for `validation` is 2.5 times its own native code.

mod by_size;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use criterion::Criterion;
use mcp_bench::exit_code;
use mcp_bench::question::{SERVER, validate};
use mcp_operator_api::v1alpha1;
use mcp_plugin_host::contract::{DefaultingRequest, Stage};
use mcp_plugin_host::{Compiler, Host, HostConfig, Limits, Plugin, compile};
use mcp_plugin_sdk::{McpServer, Metadata, Validator};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use validation::{Ecr, Settings, Validation};

const GROUP: &str = "ask-about-one-server";
const NATIVE: &str = "native-parse-and-six-rules";
const NATIVE_PLUGIN: &str = "plugin-code-without-component";
const ONE: &str = "validation-plugin";
const ALL: &str = "all-plugins";

fn main() -> ExitCode {
    // The plugin host starts this program to compile components.
    if std::env::args().any(|argument| argument == "compile-component") {
        return compile::child_main();
    }
    exit_code(run())
}

fn run() -> Result<()> {
    let results = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("plugin_call");
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let host = host(&results)?;
    let plugins = Plugins {
        validation: load(&runtime, &host, "validation")?,
        compliance: load(&runtime, &host, "compliance")?,
        team_label: load(&runtime, &host, "require_team_label")?,
    };
    // A call that fails returns early, which would spoil the measurement.
    runtime.block_on(async {
        validate(&plugins.validation, SETTINGS, SERVER).await?;
        validate(&plugins.team_label, "{}", SERVER).await?;
        defaults(&plugins.compliance).await
    })?;
    let mut criterion = Criterion::default()
        .output_directory(&results)
        .configure_from_args();
    let mut group = criterion.benchmark_group(GROUP);
    group.bench_function(NATIVE, |bencher| bencher.iter(native));
    group.bench_function(NATIVE_PLUGIN, |bencher| {
        bencher.iter(|| native_plugin(SERVER));
    });
    group.bench_function(ONE, |bencher| {
        bencher.iter(|| {
            black_box(
                runtime
                    .block_on(validate(&plugins.validation, SETTINGS, SERVER))
                    .is_ok(),
            )
        });
    });
    group.bench_function(ALL, |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let defaulted = defaults(&plugins.compliance).await.is_ok();
                let validated = validate(&plugins.validation, SETTINGS, SERVER)
                    .await
                    .is_ok();
                black_box((
                    defaulted,
                    validated,
                    validate(&plugins.team_label, "{}", SERVER).await.is_ok(),
                ))
            })
        });
    });
    group.finish();
    report(&results)?;
    by_size::measure(&runtime, &host)
}

struct Plugins {
    validation: Plugin,
    compliance: Plugin,
    team_label: Plugin,
}

fn host(results: &Path) -> Result<Host> {
    let compiler = Compiler::new(std::env::current_exe()?, ["compile-component"]);
    Ok(Host::new(HostConfig::new(
        results.join("components"),
        compiler,
    ))?)
}

fn load(runtime: &Runtime, host: &Host, name: &str) -> Result<Plugin> {
    let folder = std::env::var_os("MCP_TEST_PLUGINS")
        .context("MCP_TEST_PLUGINS is not set: run this with `cargo xtask bench`")?;
    let bytes = std::fs::read(Path::new(&folder).join(format!("{name}.wasm")))
        .with_context(|| format!("cannot read {name}.wasm"))?;
    Ok(runtime.block_on(host.load(name, &bytes))?)
}

/// Settings of `validation` by which that is admitted.
const SETTINGS: &str = r#"{"ecr":{"accounts":["123456789012"]}}"#;

/// The rules as a part of the operator, which parses its own type.
fn native() {
    let Ok(server) = serde_json::from_str::<v1alpha1::McpServer>(SERVER) else {
        return;
    };
    let metadata = server.metadata;
    let server = McpServer {
        metadata: Metadata {
            name: metadata.name.unwrap_or_default(),
            namespace: metadata.namespace.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata.annotations.unwrap_or_default(),
        },
        spec: server.spec,
    };
    run_rules(&server);
}

/// The plugin's own code as native code, which parses only what the rules need.
fn native_plugin(server: &str) {
    if let Ok(server) = serde_json::from_str(server) {
        run_rules(&server);
    }
}

fn run_rules(server: &McpServer) {
    let request = mcp_plugin_sdk::Request::default();
    let accounts = vec!["123456789012".to_owned()];
    let ecr = Ecr {
        accounts,
        ..Ecr::default()
    };
    let settings = Settings {
        ecr,
        ..Settings::default()
    };
    black_box(Validation::validate(&settings, server, &request));
}

async fn defaults(plugin: &Plugin) -> Result<()> {
    let request = DefaultingRequest {
        stage: Stage::Admission,
        server: SERVER,
        objects: &[SERVER],
        context: &[],
    };
    let answer = plugin.defaults("{}", &request, &Limits::default()).await;
    black_box(answer.context("a plugin that is measured failed")?);
    Ok(())
}

fn report(results: &Path) -> Result<()> {
    let native = median(results, NATIVE)?;
    println!(
        "\n| one MCPServer of {} bytes | median | ratio |\n|---|---|---|",
        SERVER.len()
    );
    for name in [NATIVE, NATIVE_PLUGIN, ONE, ALL] {
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
