//! Network, mount and process namespaces for a real node: what happens in them ends with them.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Pid;

use crate::command::{bound, capture, spawn_bound};
use crate::supervisor::only_child;

/// The first process of the namespaces has nothing to do but to take in orphans, which a shell does while it waits.
pub(crate) const FIRST_PROCESS: &str = "while :; do sleep 3600; done";

/// The namespaces; all that runs in them is killed when this is dropped.
pub(crate) struct Holder {
    unshare: Child,
    inside: Namespaces,
}

impl Holder {
    /// Makes the namespaces, with a `/proc` of their own.
    pub(crate) fn new() -> Result<Self> {
        let mut command = bound(Path::new("unshare"));
        command
            .args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--propagation",
                "slave",
            ])
            .args(["sh", "-c", FIRST_PROCESS])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let unshare = spawn_bound(command).context("cannot run unshare")?;
        let first = only_child(&unshare).context("the namespaces were not made")?;
        let inside = Namespaces { first };
        wait_until_apart(first)?;
        // Kubelet's mounts must reach the containers.
        inside.run("mount", &["--make-rshared", "/"])?;
        inside.run("mount", &["-t", "proc", "proc", "/proc"])?;
        Ok(Self { unshare, inside })
    }

    /// How to run programs in them.
    pub(crate) fn inside(&self) -> &Namespaces {
        &self.inside
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // `--kill-child` ends the first process with this one, and with it everything else in there.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// Between its start and its first instruction the child is still in our own namespaces.
pub(crate) fn wait_until_apart(first: Pid) -> Result<()> {
    let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let began = Instant::now();
    while of(&first.as_raw_nonzero().to_string()).is_none_or(|theirs| Some(theirs) == of("self")) {
        if began.elapsed() > Duration::from_secs(5) {
            bail!("the namespaces were not made within 5 s");
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// How to run programs in the namespaces.
#[derive(Debug, Clone)]
pub(crate) struct Namespaces {
    first: Pid,
}

impl Namespaces {
    /// A command that runs in the namespaces. They end with this program, so that what runs in them does too.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = bound(Path::new("nsenter"));
        command.arg(format!("--target={}", self.first.as_raw_nonzero()));
        command
            .args(["--net", "--mount", "--pid", "--"])
            .arg(program);
        command
    }

    /// Runs a program in the namespaces to its end.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        capture(self.command(Path::new(program)).args(args))
    }

    /// The process that holds them.
    pub(crate) fn first_process(&self) -> Pid {
        self.first
    }
}
