//! `cargo xtask chaos`: two replicas under load while everything breaks, and a referee.

use std::process::Command;

use anyhow::Result;
use mcp_cluster::{
    Cache, control_plane_tools, ensure_prerequisites, handle_signals, repository, run_attended,
};
use mcp_e2e::{Artifacts, Environment, Part};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What the schedule follows from: the same seed gives the same faults in the same order. [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// How many faults.
    #[arg(long, default_value_t = 300, conflicts_with = "minutes")]
    faults: usize,
    /// For how many minutes there are faults, instead of how many.
    #[arg(long)]
    minutes: Option<u64>,
    /// Only these kinds of faults, such as `kill,upgrade,rollback`; what there is says the error about one that there is not.
    #[arg(long, value_name = "KINDS")]
    only: Option<String>,
    /// How many users have MCPServers judged at once.
    #[arg(long, default_value_t = 2)]
    askers: u64,
    /// Only this: how long it takes until another replica writes after the leader was killed, with so many MCPServers, and what it
    /// writes besides.
    #[arg(long, value_name = "SERVERS", conflicts_with_all = ["seed", "faults", "minutes"])]
    takeover: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    ensure_prerequisites(false)?;
    let cache = Cache::open()?;
    let artifacts = match arguments.takeover {
        None => Artifacts::build(&cache, &Part::ALL)?,
        Some(_) => Artifacts::build_optimised(&cache)?,
    };
    let kubectl = control_plane_tools(&cache)?.path("kubectl");
    let environment = Environment::without_cluster(kubectl, artifacts, cache.folder("logs/chaos")?);
    let mut command = Command::new("cargo");
    command
        .current_dir(repository())
        .args([
            "test",
            "--workspace",
            "--test",
            "chaos",
            "--",
            "--nocapture",
        ])
        .env("RUST_BACKTRACE", "0");
    match (arguments.takeover, arguments.minutes) {
        (Some(servers), _) => {
            command.args(["--ignored", "takeover"]);
            command.env("MCP_CHAOS_SERVERS", servers.to_string());
        }
        (None, Some(minutes)) => {
            command.env("MCP_CHAOS_MINUTES", minutes.to_string());
        }
        (None, None) => {
            command.env("MCP_CHAOS_FAULTS", arguments.faults.to_string());
        }
    }
    // Any number does: it is printed, and gives the same schedule again.
    let any = || jiff::Timestamp::now().as_second().unsigned_abs();
    let seed = arguments.seed.unwrap_or_else(any);
    command.env("MCP_CHAOS_SEED", seed.to_string());
    command.env("MCP_CHAOS_ASKERS", arguments.askers.to_string());
    if let Some(only) = &arguments.only {
        command.env("MCP_CHAOS_ONLY", only);
    }
    environment.tell(&mut command);
    run_attended(&mut command)
}
