//! The time of a plan for many servers, by a plugin in a fresh instance.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mcp_plugin_host::contract::registrar::{
    Action, HttpResponse, Observation, Observed, Server, WorkloadState,
};
use mcp_plugin_host::contract::{RegistrationPlan, Registry};
use mcp_plugin_host::{Compiler, Host, HostConfig, Limits, Plugin};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

/// The smaller one shows whether the time grows in proportion.
const SIZES: [usize; 2] = [1_000, 10_000];
const ROUNDS: usize = 15;
/// As in `deploy/base/plugins.yaml`. A plan that takes longer fails the bench.
const TIMEOUT: Duration = Duration::from_secs(5);
/// An entry as LiteLLM 1.106 lists it.
const ENTRY: &str = include_str!("entry.json");

pub(crate) fn measure() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let results = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("registration");
    let compiler = Compiler::new(std::env::current_exe()?, ["compile-component"]);
    let host = Host::new(HostConfig::new(results.join("components"), compiler))?;
    println!("| plan | servers | median | for each server |\n|---|---|---|---|");
    for size in SIZES {
        let names: Vec<String> = (0..size).map(|number| format!("server-{number}")).collect();
        let urls: Vec<String> = names
            .iter()
            .map(|name| format!("http://mcp-{name}.tools.svc.cluster.local:8080/mcp"))
            .collect();
        let servers: Vec<Server<'_>> = names
            .iter()
            .zip(&urls)
            .map(|(name, url)| server(name, url))
            .collect();
        let bench = Bench {
            runtime: &runtime,
            servers: &servers,
        };
        bench.file(&load(&runtime, &host, "litellm_configmap")?)?;
        bench.admin_api(&load(&runtime, &host, "litellm_admin_api")?)?;
    }
    Ok(())
}

fn load(runtime: &Runtime, host: &Host, name: &str) -> Result<Plugin> {
    let folder = std::env::var_os("MCP_TEST_PLUGINS")
        .context("start this with `cargo xtask bench registration`")?;
    let bytes = std::fs::read(Path::new(&folder).join(format!("{name}.wasm")))?;
    Ok(runtime.block_on(host.load(name, &bytes))?)
}

fn server<'a>(name: &'a str, url: &'a str) -> Server<'a> {
    Server {
        namespace: "tools",
        name,
        uid: "5d0f6f0c-5f3b-4b5e-9c2f-0a8f2f1d7c11",
        created: "2026-01-01T00:00:00Z",
        labels: &[("team", "platform")],
        url,
        transport: "http",
        description: "Auto-registered from an MCPServer",
        access_groups: &["developers"],
        allowed_tools: None,
        extra: &[],
    }
}

struct Bench<'a> {
    runtime: &'a Runtime,
    servers: &'a [Server<'a>],
}

impl Bench<'_> {
    fn plan(
        &self,
        plugin: &Plugin,
        settings: &str,
        observations: &[Observation<'_>],
    ) -> Result<RegistrationPlan> {
        let registry = Registry {
            instance: "mcp-operator",
            servers: self.servers,
            observations,
            context: &[],
        };
        let limits = Limits {
            timeout: TIMEOUT,
            ..Limits::default()
        };
        Ok(self
            .runtime
            .block_on(plugin.plan(settings, &registry, &limits))?)
    }

    fn report(
        &self,
        what: &str,
        plugin: &Plugin,
        settings: &str,
        observations: &[Observation<'_>],
    ) -> Result<()> {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            self.plan(plugin, settings, observations)?;
            times.push(began.elapsed());
        }
        times.sort();
        let median = times[ROUNDS / 2].as_secs_f64();
        let count = self.servers.len();
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let each = median / count as f64;
        println!(
            "| {what} | {count} | {:.0} ms | {:.1} \u{b5}s |",
            median * 1e3,
            each * 1e6
        );
        Ok(())
    }

    fn file(&self, plugin: &Plugin) -> Result<()> {
        // A ConfigMap holds about 2,500 servers; the plan refuses the others.
        self.report(
            "`litellm-configmap`, nothing is registered",
            plugin,
            "{}",
            &observed(None, None),
        )?;
        let mut plan = self.plan(plugin, "{}", &observed(None, None))?;
        let Some(Action::WriteConfigKey(write)) = plan.steps.pop().map(|step| step.action) else {
            bail!("it writes the file")
        };
        let file = write.content.as_deref();
        let mut plan = self.plan(plugin, "{}", &observed(file, None))?;
        let Some(Action::Roll(roll)) = plan.steps.pop().map(|step| step.action) else {
            bail!("it rolls LiteLLM")
        };
        let converged = observed(file, Some(&roll.value));
        let plan = self.plan(plugin, "{}", &converged)?;
        ensure!(plan.steps.is_empty(), "nothing is left to do");
        self.report(
            "`litellm-configmap`, all that fit are registered",
            plugin,
            "{}",
            &converged,
        )
    }

    fn admin_api(&self, plugin: &Plugin) -> Result<()> {
        let settings = r#"{"requestsPerPass": 1000}"#;
        let mut listed: Vec<Value> = Vec::new();
        self.report(
            "`litellm-admin-api`, nothing is registered",
            plugin,
            settings,
            &answers("[]"),
        )?;
        while listed.len() < self.servers.len() {
            let list = Value::from(listed.clone()).to_string();
            let plan = self.plan(plugin, settings, &answers(&list))?;
            for step in plan.steps {
                let Action::Send(request) = step.action else {
                    bail!("it sends requests")
                };
                listed.push(as_listed(&request.body.unwrap_or_default())?);
            }
        }
        let list = Value::from(listed).to_string();
        let plan = self.plan(plugin, settings, &answers(&list))?;
        ensure!(plan.steps.is_empty(), "nothing is left to do");
        self.report(
            "`litellm-admin-api`, all is registered",
            plugin,
            settings,
            &answers(&list),
        )
    }
}

fn observed<'a>(file: Option<&'a str>, rolled_to: Option<&'a str>) -> [Observation<'a>; 2] {
    let workload = WorkloadState {
        rolled_to,
        complete: true,
        message: "",
    };
    [
        Observation {
            id: "file",
            state: Observed::ConfigKey(file),
        },
        Observation {
            id: "Deployment litellm/litellm-proxy",
            state: Observed::Workload(Some(workload)),
        },
    ]
}

fn answers(list: &str) -> [Observation<'_>; 2] {
    let answer = |status, body| {
        Observed::Http(HttpResponse {
            status,
            headers: &[],
            body,
        })
    };
    [
        Observation {
            id: "list",
            state: answer(200, list),
        },
        Observation {
            id: "database",
            state: answer(404, "{}"),
        },
    ]
}

/// The entry that LiteLLM lists after it was sent `body`.
fn as_listed(body: &str) -> Result<Value> {
    let mut entry: Value = serde_json::from_str(ENTRY)?;
    let sent: Value = serde_json::from_str(body)?;
    let fields = sent.as_object().context("no entry")?.clone();
    entry.as_object_mut().context("no entry")?.extend(fields);
    entry["is_config"] = json!(false);
    Ok(entry)
}
