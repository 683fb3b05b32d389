//! `cargo xtask bench`

use std::process::Command;

use anyhow::Result;
use mcp_cluster::{
    Cache, control_plane_tools, ensure_rust_targets, handle_signals, repository, run_attended,
};
use mcp_e2e::{Artifacts, Environment, OperatorImage, Part};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What is measured.
    #[arg(value_enum, default_value = "plugin")]
    what: What,
    /// More, for longer: takes most of an hour.
    #[arg(long)]
    full: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// A call of a plugin, beside native code.
    Plugin,
    /// The same, beside each plugin that means harm.
    Hostile,
    /// Admission of an MCPServer, beside CEL in the API server and rules that are compiled in.
    Admission,
    /// The controller, beside a client that just applies the same objects.
    Controller,
    /// A burst of servers, where the API server confines the operator's account by a policy, and where it does not.
    Confinement,
    /// The operator as its image has it, within the memory of its pod: 1,000 servers, with `--full` 10,000.
    Memory,
    /// Registrars: a plan for 10,000 servers, and what a burst of 1,000 costs LiteLLM.
    Registration,
    /// The first part of that: takes seconds.
    Plan,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    ensure_rust_targets()?;
    let cache = Cache::open()?;
    let (bench, artifacts) = match arguments.what {
        What::Plugin => ("plugin_call", Artifacts::build(&cache, &Part::ALL)?),
        What::Hostile => ("hostile", Artifacts::build(&cache, &Part::ALL)?),
        What::Admission => ("admission", Artifacts::build_optimised(&cache)?),
        What::Controller | What::Confinement => ("controller", Artifacts::build_optimised(&cache)?),
        What::Memory => ("controller", shipped(&cache)?),
        What::Registration => ("registration", Artifacts::build_optimised(&cache)?),
        What::Plan => ("registration", Artifacts::build(&cache, &Part::ALL)?),
    };
    let kubectl = control_plane_tools(&cache)?.path("kubectl");
    let environment = Environment::without_cluster(kubectl, artifacts, cache.folder("logs/bench")?);
    let mut command = Command::new("cargo");
    command
        .current_dir(repository())
        .args(["bench", "--package", "mcp-bench", "--bench", bench]);
    command.arg("--");
    match arguments.what {
        What::Plan => command.arg("--plan"),
        What::Memory => command.arg("--memory"),
        What::Confinement => command.arg("--confinement"),
        _ => &mut command,
    };
    if arguments.full {
        command.arg("--full");
    }
    environment.tell(&mut command);
    run_attended(&mut command)
}

/// What the image holds, and what tests need besides.
fn shipped(cache: &Cache) -> Result<Artifacts> {
    let image = OperatorImage::build(cache, &repository(), &Artifacts::image_target()?)?;
    Ok(Artifacts {
        operator: image.operator,
        ..Artifacts::build(cache, &Part::ALL)?
    })
}
