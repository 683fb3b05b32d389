//! `mcp-operator plugin bench`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use mcp_operator_offline::{Decoder, Outcome};
use mcp_operator_policy::ActivePlugin;
use serde_json::{Map, Value, json};

use crate::measure::{ChildMemory, ChildWatch, Readable, Times, mebibytes};
use crate::project::Project;
use crate::question::{Question, RequestPart};
use crate::run::settings;
use crate::session::{HostArguments, LastCall, Session, rejected};

/// Options of `plugin bench`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Folder of the plugin, or its component.
    #[arg(default_value = ".")]
    path: PathBuf,

    /// File with the MCPServer that it is asked about. [default: a small one]
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    file: Option<PathBuf>,

    /// Settings as YAML or JSON, or `@FILE` with them. [default: spec.settings of plugin.yaml]
    #[arg(long, value_name = "SETTINGS")]
    settings: Option<String>,

    /// Calls that are measured, after a tenth as many that are not.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    calls: u32,

    /// Fail if half of the calls take longer than this, in microseconds.
    #[arg(long, value_name = "MICROS")]
    max_call_micros: Option<u64>,

    /// Fail if a call has more memory than this at its end, in MiB.
    #[arg(long, value_name = "MIB")]
    max_memory_mib: Option<u64>,

    /// Fail if a call takes more than this many times what the default rules take.
    #[arg(long, value_name = "TIMES")]
    max_ratio: Option<f64>,

    /// Folder with the operator's own plugins, of which `validation` has the default rules.
    #[arg(
        long,
        env = "BUILTIN_PLUGINS",
        value_name = "FOLDER",
        default_value = "/plugins"
    )]
    builtin_plugins: PathBuf,

    /// How plugins are run.
    #[command(flatten)]
    host: HostArguments,
}

pub(crate) const HELP: &str = "\
A call is what an API server waits for: a fresh instance and its answer about one MCPServer. A defaulter is asked about the \
MCPServer itself. `instance` is the part of it until a fresh instance is there, which grows with what the component starts \
with; `answer` the rest: the question copied in, the plugin's own code, and its answer copied out. `load` is what the operator does at its start with a component that it has compiled before, `compile` \
what it does once, in a process of its own, for which --compiler-memory-mib of as much as its address space is enough.

Times depend on the machine; the ratio to the default rules, measured in the same run, does much less, and is what a CI \
should limit.

Exit codes:
  0  measured, and within the limits that were given
  1  a limit was passed
  2  it could not be measured";

/// What one component costs.
struct Costs {
    calls: Times,
    /// The parts of the calls until there was an instance.
    instances: Times,
    /// The rest of them: what goes in, the plugin's own code, what comes out.
    answers: Times,
    memory: u64,
    load: Duration,
    compile: Duration,
    compiler: ChildMemory,
    pooled: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let decoder = Decoder::new()?;
    let project = Project::built(&arguments.path, &decoder)?;
    let settings = arguments.settings.as_deref().map(settings).transpose()?;
    let server = server(arguments.file.as_ref(), &decoder)?;
    let own = measure(arguments, &project, settings.as_ref(), &server).await?;
    print(project.name(), &own);
    let mut broken = passed_limits(arguments, &own);
    let rules = ["validation.wasm"].map(|name| arguments.builtin_plugins.join(name));
    match rules.iter().find(|file| file.is_file()) {
        Some(file) => {
            let rules = default_rules(file, &decoder)?;
            let theirs = measure(arguments, &rules, None, &server).await?;
            print("default rules", &theirs);
            let ratio =
                own.calls.percentile(50).as_secs_f64() / theirs.calls.percentile(50).as_secs_f64();
            println!("ratio of a call: {ratio:.2}");
            if let Some(most) = arguments.max_ratio.filter(|most| ratio > *most) {
                broken.push(format!(
                    "a call takes {ratio:.2} times what the default rules take, {most} are allowed"
                ));
            }
        }
        None if arguments.max_ratio.is_some() => {
            bail!(
                "--max-ratio: the default rules are not in {}: give --builtin-plugins",
                arguments.builtin_plugins.display()
            )
        }
        None => println!(
            "the default rules are not in {}: no ratio (--builtin-plugins)",
            arguments.builtin_plugins.display()
        ),
    }
    for limit in &broken {
        eprintln!("error: {limit}");
    }
    Ok(if broken.is_empty() {
        Outcome::Admitted
    } else {
        Outcome::Denied
    })
}

/// As small as they are in the documentation.
fn server(file: Option<&PathBuf>, decoder: &Decoder) -> Result<Value> {
    if let Some(file) = file {
        let servers = decoder.servers(std::slice::from_ref(file), "default")?;
        let first = servers.into_iter().next();
        return Ok(first.context("there is no MCPServer")?.1);
    }
    let metadata = json!({ "name": "weather", "labels": { "team": "a" } });
    let spec = json!({
        "image": { "repository": "ghcr.io/acme/mcp", "tag": "1.0.0" },
        "resources": { "limits": { "cpu": "500m", "memory": "256Mi" } },
    });
    decoder.server(json!({ "metadata": metadata, "spec": spec }), "default")
}

/// The default rules allow no registry unless they are told which.
fn default_rules(file: &Path, decoder: &Decoder) -> Result<Project> {
    let mut project = Project::open(file, decoder)?;
    let allowed = json!(["ghcr.io/acme"]);
    project.plugin.spec.settings = Map::from_iter([("allowedRegistries".to_owned(), allowed)]);
    Ok(project)
}

async fn measure(
    arguments: &Arguments,
    project: &Project,
    settings: Option<&Map<String, Value>>,
    server: &Value,
) -> Result<Costs> {
    let folder = tempfile::tempdir()?;
    let session = Session::in_folder(&arguments.host, folder.path().join("cache"))?;
    let load = async || {
        let began = Instant::now();
        let plugin = session.activate(project, settings).await;
        Ok::<_, anyhow::Error>((plugin.map_err(|why| rejected(&why))?, began.elapsed()))
    };
    let watch = ChildWatch::start();
    let first = load().await;
    let compiler = watch.stop();
    let (_, compile) = first?;
    let (plugin, load) = load().await?;
    let question = Question::new(server.clone(), RequestPart::default(), Map::new());
    let question = question.map_err(|error| anyhow!(error))?;
    let (mut calls, mut instances, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let mut memory = 0;
    for call in 0..arguments.calls + arguments.calls / 10 {
        let LastCall {
            took,
            instantiating,
            memory_bytes,
            ..
        } = call_once(&session, &plugin, &question).await?;
        if call >= arguments.calls / 10 {
            calls.push(took);
            instances.push(instantiating);
            answers.push(took.saturating_sub(instantiating));
        }
        memory = memory.max(u64::try_from(memory_bytes)?);
    }
    Ok(Costs {
        calls: Times::new(calls),
        instances: Times::new(instances),
        answers: Times::new(answers),
        memory,
        load,
        compile: compile.saturating_sub(load),
        compiler,
        pooled: plugin.component().is_pooled(),
    })
}

async fn call_once(
    session: &Session,
    plugin: &ActivePlugin,
    question: &Question,
) -> Result<LastCall> {
    let interfaces = plugin.interfaces();
    if interfaces.validator {
        question.validate(plugin).await?;
    } else if interfaces.defaulter {
        question.defaults(plugin, &question.objects()).await?;
    } else {
        let observed = plugin.observe().await;
        observed.map_err(|failure| anyhow!("{}: {}", failure.category, failure.message))?;
    }
    Ok(session.take_last_call())
}

fn print(name: &str, costs: &Costs) {
    let times = |times: &Times| {
        let percentile = |percent| Readable(times.percentile(percent));
        format!("{} (99%: {})", percentile(50), percentile(99))
    };
    println!("{name}");
    println!(
        "  call     {}, {} MiB of memory",
        times(&costs.calls),
        mebibytes(costs.memory)
    );
    println!("    instance {}", times(&costs.instances));
    println!("    answer   {}", times(&costs.answers));
    println!(
        "  load     {}{}",
        Readable(costs.load),
        if costs.pooled {
            ""
        } else {
            ", too large for the pool: allocated anew for each call"
        }
    );
    let ChildMemory {
        address_space,
        resident,
    } = costs.compiler;
    println!(
        "  compile  {}, {} MiB of address space, {} MiB of memory",
        Readable(costs.compile),
        mebibytes(address_space),
        mebibytes(resident)
    );
}

fn passed_limits(arguments: &Arguments, costs: &Costs) -> Vec<String> {
    let mut broken = Vec::new();
    let half = costs.calls.percentile(50);
    if let Some(most) = arguments
        .max_call_micros
        .filter(|most| half > Duration::from_micros(*most))
    {
        broken.push(format!(
            "a call takes {}, {most} µs are allowed",
            Readable(half)
        ));
    }
    let memory = mebibytes(costs.memory);
    if let Some(most) = arguments.max_memory_mib.filter(|most| memory > *most) {
        broken.push(format!(
            "a call has {memory} MiB of memory, {most} are allowed"
        ));
    }
    broken
}
