//! `cargo xtask test`: every test there is.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use mcp_cluster::{
    Cache, ControlPlane, ControlPlaneOptions, LiteLlm, RealNode, control_plane_tools,
    ensure_node_packages, ensure_rust_targets, handle_signals, node_tools, repository,
};
use mcp_e2e::{Artifacts, Environment, install_definitions, install_into_node, install_plugins};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these: unit tests, tests against a control plane, or tests on a real node.
    #[arg(long, value_enum)]
    only: Option<Tier>,
}

/// What a test needs.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tier {
    /// Nothing.
    Unit,
    /// A control plane with simulated nodes.
    ControlPlane,
    /// A real node: Linux and root.
    Node,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    let wanted = |tier| arguments.only.is_none_or(|only| only == tier);
    ensure_rust_targets()?;
    if wanted(Tier::Unit) {
        unit()?;
    }
    if !wanted(Tier::ControlPlane) && !wanted(Tier::Node) {
        return Ok(());
    }
    let cache = Cache::open()?;
    let artifacts = Artifacts::build(&cache)?;
    if wanted(Tier::ControlPlane) {
        on_control_plane(&cache, &artifacts)?;
    }
    if wanted(Tier::Node) {
        on_node(&cache, &artifacts, arguments.only.is_some())?;
    }
    Ok(())
}

/// Pure code, the plugin host with real components, and the plugins natively.
fn unit() -> Result<()> {
    cargo("", &["test", "--workspace", "--exclude", "mcp-e2e"], |_| {})?;
    cargo("plugins", &["test"], |_| {})
}

fn on_control_plane(cache: &Cache, artifacts: &Artifacts) -> Result<()> {
    control_plane_tools(cache)?;
    let options = ControlPlaneOptions {
        name: "test-control-plane".into(),
        audit: true,
        ..ControlPlaneOptions::default()
    };
    let cluster = ControlPlane::start(cache, options)?;
    install_definitions(cluster.kubectl())?;
    install_plugins(cluster.kubectl())?;
    let environment = Environment {
        kubectl: cluster.kubectl().clone(),
        artifacts: artifacts.clone(),
        logs: cache.folder("logs/control-plane")?,
        audit: cluster.audit_log(),
    };
    let tests = [
        "test",
        "--package",
        "mcp-e2e",
        "--test",
        "control_plane",
        "--test",
        "lifecycle",
        "--test",
        "registration",
        "--test",
        "faults",
    ];
    cargo("", &tests, |command| environment.tell(command))
}

/// Where the machine cannot do it, this says so and is no failure, unless it was asked for.
fn on_node(cache: &Cache, artifacts: &Artifacts, asked_for: bool) -> Result<()> {
    if let Err(error) = ensure_node_packages() {
        if asked_for {
            return Err(error);
        }
        eprintln!("tests on a real node are left out: {error:#}");
        return Ok(());
    }
    control_plane_tools(cache)?;
    node_tools(cache)?;
    let litellm = LiteLlm::install(cache)?;
    let node = RealNode::start(cache)?;
    install_into_node(&node, artifacts)?;
    litellm.deploy(&node)?;
    let environment = Environment {
        kubectl: node.kubectl().clone(),
        artifacts: artifacts.clone(),
        logs: cache.folder("logs/node")?,
        audit: None,
    };
    // In this order: the second gives LiteLLM a database.
    for tests in ["real_node", "litellm"] {
        let arguments = ["test", "--package", "mcp-e2e", "--test", tests];
        cargo("", &arguments, |command| environment.tell(command))?;
    }
    Ok(())
}

/// Runs cargo in a folder of the checkout, with its output where ours goes.
fn cargo(folder: &str, args: &[&str], prepare: impl FnOnce(&mut Command)) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .current_dir(repository().join(Path::new(folder)))
        .args(args);
    // An error says where it comes from by itself.
    command.env("RUST_BACKTRACE", "0");
    prepare(&mut command);
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("`cargo {}` failed ({status})", args.join(" "));
    }
    Ok(())
}
