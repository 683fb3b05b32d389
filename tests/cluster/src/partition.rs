//! A network of a program's own, whose cable can be pulled.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, geteuid};

use crate::command::{bound, capture, spawn_bound};
use crate::namespaces::{FIRST_PROCESS, wait_until_apart};
use crate::supervisor::only_child;

/// A network namespace that reaches this machine by a cable of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct CabledNetwork {
    unshare: Child,
    first: Pid,
    cable: String,
    /// This machine's end of the cable.
    pub machine: Ipv4Addr,
    /// The other end.
    pub inside: Ipv4Addr,
}

impl CabledNetwork {
    /// Whether one can be made: that takes root.
    pub fn is_possible() -> bool {
        geteuid().is_root()
    }

    /// Makes one.
    ///
    /// # Errors
    /// When this program may not.
    pub fn new() -> Result<Self> {
        let mut command = bound(Path::new("unshare"));
        command
            .args([
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                FIRST_PROCESS,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let unshare = spawn_bound(command).context("cannot run unshare")?;
        let first = only_child(&unshare).context("the namespace was not made")?;
        wait_until_apart(first)?;
        // Of this process and no other that runs now: 4 addresses of 10.214.0.0/16.
        let [.., high, low] = unshare.id().to_be_bytes();
        let network = u16::from_be_bytes([high, low]) << 2;
        let [third, fourth] = network.to_be_bytes();
        let this = Self {
            cable: format!("mcp{}", unshare.id()),
            unshare,
            first,
            machine: Ipv4Addr::new(10, 214, third, fourth | 1),
            inside: Ipv4Addr::new(10, 214, third, fourth | 2),
        };
        this.lay()?;
        Ok(this)
    }

    fn lay(&self) -> Result<()> {
        let first = self.first.as_raw_nonzero().to_string();
        ip(&[
            "link",
            "add",
            &self.cable,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            &first,
        ])?;
        ip(&[
            "address",
            "add",
            &format!("{}/30", self.machine),
            "dev",
            &self.cable,
        ])?;
        self.mend()?;
        for args in [
            ["link", "set", "lo", "up"].as_slice(),
            &[
                "address",
                "add",
                &format!("{}/30", self.inside),
                "dev",
                "eth0",
            ],
            &["link", "set", "eth0", "up"],
        ] {
            capture(self.command(Path::new("ip")).args(args))?;
        }
        Ok(())
    }

    /// A command that runs in there.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = bound(Path::new("nsenter"));
        command
            .arg(format!(
                "--net=/proc/{}/ns/net",
                self.first.as_raw_nonzero()
            ))
            .arg("--")
            .arg(program);
        command
    }

    /// From now on nothing passes, and nobody is told.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn cut(&self) -> Result<()> {
        ip(&["link", "set", &self.cable, "down"])
    }

    /// It passes again; what was sent meanwhile arrives if whoever sent it still tries.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn mend(&self) -> Result<()> {
        ip(&["link", "set", &self.cable, "up"])
    }
}

impl Drop for CabledNetwork {
    fn drop(&mut self) {
        // The cable ends with the namespace.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

fn ip(args: &[&str]) -> Result<()> {
    capture(Command::new("ip").args(args)).map(drop)
}
