//! `cargo xtask up`

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mcp_cluster::{Cache, check_interrupted, control_plane_tools, handle_signals, node_tools};

use super::background::Background;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// With a node that runs containers (Linux, root), instead of a simulated one.
    #[arg(long)]
    node: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    handle_signals()?;
    let cache = Cache::open()?;
    let background = Background::open(&cache)?;
    if background.kubeconfig().is_some() {
        if arguments.node && !background.has_node() {
            bail!(
                "a cluster with simulated nodes is up: stop it with `cargo xtask down`, then ask for one with a real node"
            );
        }
    } else {
        // Here, where its progress can be seen.
        control_plane_tools(&cache)?;
        if arguments.node {
            node_tools(&cache)?;
        }
        start(&background, arguments.node)?;
    }
    let Some(kubeconfig) = background.kubeconfig() else {
        bail!(
            "the cluster ended again; see {}",
            background.log().display()
        )
    };
    println!("export KUBECONFIG={}", kubeconfig.display());
    Ok(())
}

fn start(background: &Background, node: bool) -> Result<()> {
    let log = File::create(background.log()).context("cannot create the supervisor's log")?;
    let program = std::env::current_exe().context("this program has no path")?;
    let mut command = Command::new(program);
    command.arg("supervise").args(node.then_some("--node"));
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the log")?)
        .stderr(log)
        .process_group(0);
    let mut supervisor = command.spawn().context("cannot start the supervisor")?;
    let began = Instant::now();
    while background.kubeconfig().is_none() {
        check_interrupted()?;
        if let Some(status) = supervisor
            .try_wait()
            .context("cannot look at the supervisor")?
        {
            let said = std::fs::read_to_string(background.log()).unwrap_or_default();
            bail!("the cluster did not start ({status}):\n{said}");
        }
        sleep(Duration::from_millis(50));
    }
    eprintln!("up in {:.1} s", began.elapsed().as_secs_f32());
    Ok(())
}
