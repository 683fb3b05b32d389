//! What a good plugin's call costs beside each plugin that means harm: `cargo xtask bench hostile`. Calls alone and calls beside
//! are measured in turns, in one run; the aim is twice as long in the 99th of a hundred.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mcp_bench::question::{SERVER, validate};
use mcp_bench::{exit_code, machine};
use mcp_hostile::{Ends, Hostile, corpus};
use mcp_plugin_host::{Compiler, Host, HostConfig, Limits, Plugin, compile};
use tokio::runtime::Builder;

/// Calls in one turn, and turns of each side.
const CALLS: usize = 1000;
const TURNS: usize = 3;
/// How much longer the 99th of a hundred calls may take beside one that means harm.
const MOST: f64 = 2.0;

fn main() -> ExitCode {
    // The plugin host starts this program to compile components.
    if std::env::args().any(|argument| argument == "compile-component") {
        return compile::child_main();
    }
    exit_code(run())
}

fn run() -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<()> {
    let results = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    let compiler = Compiler::new(std::env::current_exe()?, ["compile-component"]);
    let host = Host::new(HostConfig::new(results.join("components"), compiler))?;
    let folder = std::env::var_os("MCP_TEST_PLUGINS")
        .context("MCP_TEST_PLUGINS is not set: run this with `cargo xtask bench`")?;
    let good = std::fs::read(PathBuf::from(folder).join("validation.wasm"))?;
    let good = host.load("validation", &good).await?;
    turn(&good).await?;
    println!("{}", machine::facts());
    println!(
        "| beside | its calls | p99 alone | p99 beside | ratio | resident |\n|---|---|---|---|---|---|"
    );
    let mut slowed = Vec::new();
    for hostile in corpus() {
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        let component = hostile.component();
        let mut ended = 0;
        for _ in 0..TURNS {
            alone.extend(turn(&good).await?);
            let busy = Busy::start(&host, hostile, component.clone());
            beside.extend(turn(&good).await?);
            ended += busy.end().await?;
        }
        let (alone, beside) = (p99(alone), p99(beside));
        let ratio = beside.as_secs_f64() / alone.as_secs_f64();
        if ratio > MOST {
            slowed.push(hostile.name);
        }
        println!(
            "| {} | {ended} | {} \u{b5}s | {} \u{b5}s | {ratio:.2} | {} MiB |",
            hostile.name,
            alone.as_micros(),
            beside.as_micros(),
            resident()? >> 20,
        );
    }
    println!("more than {MOST} times as long: {slowed:?}");
    Ok(())
}

/// A plugin that means harm, which is loaded or called again and again.
struct Busy {
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Busy {
    fn start(host: &Host, hostile: Hostile, component: Vec<u8>) -> Self {
        let (stop, ended) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let task = {
            let (host, stop, ended) = (host.clone(), Arc::clone(&stop), Arc::clone(&ended));
            tokio::spawn(async move {
                let loaded = match hostile.ends {
                    Ends::Calling(_) | Ends::Never => {
                        host.load(hostile.name, &component).await.ok()
                    }
                    _ => None,
                };
                while !stop.load(Ordering::Relaxed) {
                    if let Some(plugin) = &loaded {
                        let _ = validate(plugin, "{}", SERVER).await;
                    } else if let Ok(plugin) = host.load(hostile.name, &component).await {
                        let _ = plugin.describe(&Limits::default()).await;
                        let _ = plugin.validate_settings("{}", &Limits::default()).await;
                    }
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        Self { stop, ended, task }
    }

    /// Waits for the last of it, and says how often it has ended.
    async fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?;
        Ok(self.ended.load(Ordering::Relaxed))
    }
}

/// What each of some calls of the good one took.
async fn turn(good: &Plugin) -> Result<Vec<Duration>> {
    let good = good.clone();
    // In a task as those of requests, and not on the thread of the program.
    let turn = tokio::spawn(async move {
        let mut took = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            validate(&good, "{}", SERVER).await?;
            took.push(began.elapsed());
        }
        Ok(took)
    });
    turn.await?
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took.get(took.len() * 99 / 100).copied().unwrap_or_default()
}

/// Memory of this process, in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}
