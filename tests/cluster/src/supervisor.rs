//! The servers of one cluster: started in order, watched while one waits, stopped newest first.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{bound, log_tail, spawn_bound};
use crate::components::Component;
use crate::interrupt::check_interrupted;
use crate::namespaces::Namespaces;

/// How long a server may take to stop by itself.
const GRACE: Duration = Duration::from_secs(5);
/// How often a wait looks again.
const INTERVAL: Duration = Duration::from_millis(100);

/// How to start a server.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    component: Component,
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
}

impl Program {
    pub(crate) fn new(component: Component, path: PathBuf) -> Self {
        Self {
            component,
            path,
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// `--name=path`
    pub(crate) fn file(self, name: &str, path: &Path) -> Self {
        let mut arg = OsString::from(format!("--{name}="));
        arg.push(path);
        self.arg(arg)
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }
}

struct Running {
    component: Component,
    child: Child,
    /// The server itself: not `child` when that is the program that entered the namespaces for it.
    pid: Pid,
}

/// Servers with a log file each; all of them are stopped when this is dropped.
pub(crate) struct Supervisor {
    logs: PathBuf,
    namespaces: Option<Namespaces>,
    running: Vec<Running>,
    /// Everything that was ever started, so that it can be started again.
    known: Vec<Program>,
}

impl Supervisor {
    /// For servers on this machine itself, or in `namespaces`.
    pub(crate) fn new(logs: PathBuf, namespaces: Option<Namespaces>) -> Self {
        Self {
            logs,
            namespaces,
            running: Vec::new(),
            known: Vec::new(),
        }
    }

    /// The log file of a server.
    pub(crate) fn log(&self, component: Component) -> PathBuf {
        self.logs.join(format!("{component}.log"))
    }

    /// Starts a server; its log goes on where an earlier run of it ended.
    pub(crate) fn start(&mut self, program: Program) -> Result<()> {
        let log = self.log(program.component);
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot open {}", log.display()))?;
        let errors = output
            .try_clone()
            .with_context(|| format!("cannot share {}", log.display()))?;
        let mut command = match &self.namespaces {
            Some(namespaces) => namespaces.command(&program.path),
            None => bound(&program.path),
        };
        command
            .args(&program.args)
            .envs(program.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.logs)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C at the terminal is for this program, which then stops the servers in order.
            .process_group(0);
        let child = spawn_bound(command)
            .with_context(|| format!("cannot start {}", program.path.display()))?;
        let pid = match &self.namespaces {
            Some(_) => {
                only_child(&child).with_context(|| format!("{} did not start", program.component))
            }
            None => pid_of(&child),
        };
        let pid = pid.with_context(|| log_tail(&log))?;
        self.known
            .retain(|known| known.component != program.component);
        self.known.push(program.clone());
        self.running.push(Running {
            component: program.component,
            child,
            pid,
        });
        Ok(())
    }

    /// Waits until `ready`; a server that ends meanwhile ends the wait.
    pub(crate) fn wait(
        &mut self,
        component: Component,
        what: &str,
        timeout: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<()> {
        let began = Instant::now();
        loop {
            check_interrupted()?;
            self.check_alive()?;
            if ready() {
                return Ok(());
            }
            if began.elapsed() > timeout {
                bail!(
                    "{what} took more than {} s; {}",
                    timeout.as_secs(),
                    log_tail(&self.log(component))
                );
            }
            thread::sleep(INTERVAL);
        }
    }

    /// Waits until the log of a server has a text.
    pub(crate) fn wait_for_log(
        &mut self,
        component: Component,
        text: &str,
        timeout: Duration,
    ) -> Result<()> {
        let log = self.log(component);
        self.wait(
            component,
            &format!("the start of {component}"),
            timeout,
            || fs::read(&log).is_ok_and(|content| String::from_utf8_lossy(&content).contains(text)),
        )
    }

    /// Ends a server at once, as a crash would.
    pub(crate) fn kill(&mut self, component: Component) -> Result<()> {
        let mut running = self.take(component)?;
        running.end(Duration::ZERO);
        Ok(())
    }

    /// Sends a server a signal.
    pub(crate) fn signal(&self, component: Component, signal: Signal) -> Result<()> {
        let running = self
            .running
            .iter()
            .find(|running| running.component == component);
        let Some(running) = running else {
            bail!("{component} does not run in this cluster")
        };
        kill_process(running.pid, signal).with_context(|| format!("cannot signal {component}"))
    }

    /// Ends a server and starts it again with the same arguments. One that was killed is just started.
    pub(crate) fn restart(&mut self, component: Component) -> Result<()> {
        let program = self
            .known
            .iter()
            .find(|program| program.component == component)
            .cloned();
        let Some(program) = program else {
            bail!("{component} is no server of this cluster")
        };
        if let Ok(mut running) = self.take(component) {
            running.end(GRACE);
        }
        self.start(program)
    }

    /// Whether a server was started and not killed since.
    pub(crate) fn runs(&self, component: Component) -> bool {
        self.running
            .iter()
            .any(|running| running.component == component)
    }

    /// Stops all servers, newest first.
    pub(crate) fn stop(&mut self) {
        while let Some(mut running) = self.running.pop() {
            running.end(GRACE);
        }
    }

    fn take(&mut self, component: Component) -> Result<Running> {
        let index = self
            .running
            .iter()
            .position(|running| running.component == component);
        let Some(index) = index else {
            bail!("{component} does not run in this cluster")
        };
        Ok(self.running.remove(index))
    }

    fn check_alive(&mut self) -> Result<()> {
        for running in &mut self.running {
            let component = running.component;
            let status = running
                .child
                .try_wait()
                .with_context(|| format!("cannot look at {component}"))?;
            if let Some(status) = status {
                let log = self.logs.join(format!("{component}.log"));
                bail!("{component} ended ({status}); {}", log_tail(&log));
            }
        }
        Ok(())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    /// Asks the server to stop, and kills it when it has not after `grace`.
    fn end(&mut self, grace: Duration) {
        // Errors here mean that it has ended already. Its number cannot be another program's: neither it nor the
        // program that entered the namespaces for it has been waited for.
        let asked = Instant::now();
        if !grace.is_zero() {
            let _ = kill_process(self.pid, Signal::TERM);
        }
        while !matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            if asked.elapsed() >= grace {
                let _ = kill_process(self.pid, Signal::KILL);
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn pid_of(child: &Child) -> Result<Pid> {
    let id = i32::try_from(child.id()).context("a process number out of range")?;
    Pid::from_raw(id).context("a process without a number")
}

/// The only child of a program that has just been started, by this machine's process numbers.
pub(crate) fn only_child(parent: &Child) -> Result<Pid> {
    let file = format!("/proc/{0}/task/{0}/children", parent.id());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        let children = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        if let Some(pid) = children.split_whitespace().next() {
            let id = pid
                .parse()
                .with_context(|| format!("{file} has no process number"))?;
            return Pid::from_raw(id).context("a process without a number");
        }
        thread::sleep(Duration::from_millis(5));
    }
    bail!("no process in {file}")
}
