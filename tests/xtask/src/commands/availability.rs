//! `cargo xtask availability`: admissions on a real node while replicas come and go.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use mcp_cluster::{
    Cache, RealNode, chart_tools, control_plane_tools, ensure_node_possible, ensure_prerequisites,
    handle_signals, image, node_tools, repository, run_attended,
};
use mcp_e2e::{Artifacts, Environment, Part, load_operator_image};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long MCPServers are judged, at least.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// How many MCPServers are judged each second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// An archive of `cargo xtask image`. [default: one that is built]
    #[arg(long, value_name = "ARCHIVE")]
    image: Option<PathBuf>,
    /// The chart of another version, with which it begins: it is upgraded from there, and rolled back.
    #[arg(long, value_name = "FOLDER", requires = "before_image")]
    before_chart: Option<PathBuf>,
    /// The image of that version, an archive of its own `cargo xtask image`.
    #[arg(long, value_name = "ARCHIVE", requires = "before_chart")]
    before_image: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    ensure_node_possible()?;
    ensure_prerequisites(true)?;
    let cache = Cache::open()?;
    let artifacts = Artifacts::build(&cache, &[Part::Server])?;
    control_plane_tools(&cache)?;
    node_tools(&cache)?;
    chart_tools(&cache)?;
    let images = match &arguments.image {
        Some(_) => Vec::new(),
        None => artifacts.shipped_images(&cache)?,
    };
    let node = RealNode::start(&cache)?;
    for archive in &images {
        node.load_image(archive)?;
    }
    if let Some(archive) = &arguments.image {
        load_operator_image(&node, archive)?;
    }
    let logs = cache.folder("logs/availability")?;
    let environment = Environment::new(node.kubectl().clone(), artifacts, logs);
    let mut command = Command::new("cargo");
    command
        .current_dir(repository())
        .args(["test", "--workspace", "--test", "availability", "--"])
        .arg("--nocapture")
        .env("RUST_BACKTRACE", "0")
        .env("MCP_AVAILABILITY_MINUTES", arguments.minutes.to_string())
        .env("MCP_AVAILABILITY_RATE", arguments.rate.to_string());
    if let (Some(chart), Some(archive)) = (&arguments.before_chart, &arguments.before_image) {
        node.load_image(archive)?;
        command
            .env("MCP_AVAILABILITY_BEFORE_CHART", std::path::absolute(chart)?)
            .env("MCP_AVAILABILITY_BEFORE_IMAGE", image::name_of(archive)?);
    }
    environment.tell(&mut command);
    run_attended(&mut command)
}
