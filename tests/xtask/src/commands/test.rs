//! `cargo xtask test`: every test there is.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use mcp_cluster::{
    Cache, ControlPlane, ControlPlaneOptions, LiteLlm, RealNode, control_plane_tools,
    ensure_node_possible, ensure_prerequisites, ensure_rust_targets, handle_signals, node_tools,
    repository, run_attended,
};
use mcp_e2e::{Artifacts, Environment, install_definitions, install_into_node, install_plugins};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these: unit tests, tests against a control plane, or tests on a real node.
    #[arg(long, value_enum)]
    only: Option<Tier>,
    /// Of the tests against a control plane, only those with this in their names.
    #[arg(long)]
    filter: Option<String>,
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
    let node = match ensure_node_possible() {
        _ if !wanted(Tier::Node) => false,
        Ok(()) => true,
        Err(error) if arguments.only.is_some() => return Err(error),
        // Said at the end too, where it is seen.
        Err(error) => {
            eprintln!("tests on a real node will be left out: {error:#}");
            false
        }
    };
    if arguments.only == Some(Tier::Unit) {
        ensure_rust_targets()?;
    } else {
        ensure_prerequisites(node)?;
    }
    if wanted(Tier::Unit) {
        unit()?;
    }
    if !wanted(Tier::ControlPlane) && !wanted(Tier::Node) {
        return Ok(());
    }
    let cache = Cache::open()?;
    let artifacts = Artifacts::build(&cache)?;
    if wanted(Tier::ControlPlane) {
        on_control_plane(&cache, &artifacts, arguments.filter.as_deref())?;
    }
    if node {
        on_node(&cache, &artifacts)?;
    } else if wanted(Tier::Node) {
        eprintln!("tests on a real node were left out: they need root on Linux");
    }
    Ok(())
}

/// Pure code, the plugin host with real components, and the plugins natively.
fn unit() -> Result<()> {
    cargo("", &["test", "--workspace", "--exclude", "mcp-e2e"], |_| {})?;
    cargo("plugins", &["test"], |_| {})
}

fn on_control_plane(cache: &Cache, artifacts: &Artifacts, filter: Option<&str>) -> Result<()> {
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
        "--no-fail-fast",
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
    let filter = filter.map_or(vec![], |filter| vec!["--", filter]);
    cargo("", &[&tests[..], &filter].concat(), |command| {
        environment.tell(command);
    })
}

fn on_node(cache: &Cache, artifacts: &Artifacts) -> Result<()> {
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
    run_attended(&mut command)
}
