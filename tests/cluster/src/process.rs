//! A program of the project's own that runs beside a cluster, such as an operator outside of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{bound, log_tail, spawn_bound, terminate};
use crate::partition::CabledNetwork;

/// How long a program may take to stop by itself.
const GRACE: Duration = Duration::from_secs(15);

/// A running program; it is stopped when this is dropped, and killed when this program dies.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program with its output in a log file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, prepare: impl FnOnce(&mut Command), log: &Path) -> Result<Self> {
        Self::start_command(bound(program), prepare, log)
    }

    /// The same, in a network of its own.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_within(
        network: &CabledNetwork,
        program: &Path,
        prepare: impl FnOnce(&mut Command),
        log: &Path,
    ) -> Result<Self> {
        Self::start_command(network.command(program), prepare, log)
    }

    fn start_command(
        mut command: Command,
        prepare: impl FnOnce(&mut Command),
        log: &Path,
    ) -> Result<Self> {
        let output =
            File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let errors = output
            .try_clone()
            .with_context(|| format!("cannot share {}", log.display()))?;
        prepare(&mut command);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = spawn_bound(command)
            .with_context(|| format!("cannot start what writes {}", log.display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until `ready`; a program that ends meanwhile ends the wait.
    ///
    /// # Errors
    /// When it ended or took too long, with the end of its log.
    pub fn wait(&mut self, timeout: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let began = Instant::now();
        while !ready() {
            if let Some(status) = self
                .child
                .try_wait()
                .context("cannot look at the program")?
            {
                bail!("it ended ({status}); {}", log_tail(&self.log));
            }
            if began.elapsed() > timeout {
                bail!(
                    "not ready within {} s; {}",
                    timeout.as_secs(),
                    log_tail(&self.log)
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let began = Instant::now();
        let _ = i32::try_from(self.child.id()).map(terminate);
        while matches!(self.child.try_wait(), Ok(None)) {
            if began.elapsed() > GRACE {
                return self.kill();
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
