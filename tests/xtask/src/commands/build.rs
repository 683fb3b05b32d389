//! `cargo xtask build`

use anyhow::Result;
use mcp_cluster::{Cache, control_plane_tools, handle_signals, node_tools};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also what a real node needs.
    #[arg(long)]
    node: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    let cache = Cache::open()?;
    control_plane_tools(&cache)?;
    if arguments.node {
        node_tools(&cache)?;
    }
    println!("everything is in {}", cache.root().display());
    Ok(())
}
