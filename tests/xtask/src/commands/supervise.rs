//! `cargo xtask supervise`: what `up` leaves running.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use mcp_cluster::{
    Cache, Cluster, ControlPlane, ControlPlaneOptions, RealNode, handle_signals, interrupted,
};

use super::background::Background;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// With a real node.
    #[arg(long)]
    node: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    let cache = Cache::open()?;
    let background = Background::open(&cache)?;
    background.begin(arguments.node)?;
    let cluster = if arguments.node {
        Cluster::RealNode(Box::new(RealNode::start(&cache)?))
    } else {
        let options = ControlPlaneOptions {
            name: "background-control-plane".into(),
            ..ControlPlaneOptions::default()
        };
        Cluster::ControlPlane(Box::new(ControlPlane::start(&cache, options)?))
    };
    background.ready(cluster.kubectl().kubeconfig())?;
    while !interrupted() {
        sleep(Duration::from_millis(100));
    }
    drop(cluster);
    background.end()
}
