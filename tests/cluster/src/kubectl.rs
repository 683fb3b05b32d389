//! `kubectl` with the kubeconfig of one cluster.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache::Cache;
use crate::command::{capture, checked};

/// Where `kubectl` and the kubeconfig are.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    /// Where it keeps what the cluster serves, where that is not the person's own folder.
    discovery: Option<PathBuf>,
}

/// The folder in which kubectl and Helm keep what a cluster serves.
const DISCOVERY_VARIABLE: &str = "KUBECACHEDIR";

impl Kubectl {
    /// A program and a kubeconfig.
    pub fn new(program: PathBuf, kubeconfig: PathBuf) -> Self {
        let discovery = discovery(&kubeconfig);
        Self {
            program,
            kubeconfig,
            discovery,
        }
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The kubeconfig file.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A command that talks to the cluster.
    pub fn command(&self) -> Command {
        self.command_of(&self.program)
    }

    /// The same of another program that takes `--kubeconfig`.
    pub(crate) fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        if let Some(folder) = &self.discovery {
            command.env(DISCOVERY_VARIABLE, folder);
        }
        command
    }

    /// Runs `kubectl ARGS` and returns what it printed.
    ///
    /// # Errors
    /// When it fails; then with its message.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        capture(self.command().args(args))
    }

    /// Runs `kubectl ARGS --output json`.
    ///
    /// # Errors
    /// When it fails or prints no JSON.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let text = capture(self.command().args(args).args(["--output", "json"]))?;
        serde_json::from_str(&text)
            .with_context(|| format!("`kubectl {}` printed no JSON", args.join(" ")))
    }

    /// Applies manifests, on the server's side: large CRDs exceed the annotation that the other way keeps.
    ///
    /// # Errors
    /// When the server refuses them.
    pub fn apply(&self, manifests: &str) -> Result<String> {
        self.pipe(
            &[
                "apply",
                "--server-side",
                "--force-conflicts",
                "--filename",
                "-",
            ],
            manifests,
        )
    }

    /// Runs `kubectl ARGS` with `input` on its standard input.
    ///
    /// # Errors
    /// When it fails; then with its message.
    pub fn pipe(&self, args: &[&str], input: &str) -> Result<String> {
        let mut command = self.command();
        command.args(args);
        let output = self.feed(&mut command, input)?;
        checked(&command, output)
    }

    /// The same, with what it printed on standard error too: warnings are there.
    ///
    /// # Errors
    /// When it fails; then with its message.
    pub fn pipe_with_warnings(&self, args: &[&str], input: &str) -> Result<String> {
        let mut command = self.command();
        command.args(args);
        let output = self.feed(&mut command, input)?;
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(warnings + &checked(&command, output)?)
    }

    fn feed(&self, command: &mut Command, input: &str) -> Result<Output> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends without reading says why by its exit code and message.
            let _ = stdin.write_all(input.as_bytes());
        }
        child
            .wait_with_output()
            .with_context(|| format!("cannot run {}", self.program.display()))
    }

    /// Whether the API server says that it is ready.
    pub(crate) fn server_is_ready(&self) -> bool {
        self.run(&["get", "--raw=/readyz", "--request-timeout=2s"])
            .is_ok()
    }
}

/// Beside the kubeconfig of a cluster that was started here, and gone with it: one for each of hundreds would fill the home
/// folder. A person's own clusters keep theirs where kubectl has it.
fn discovery(kubeconfig: &Path) -> Option<PathBuf> {
    let cache = Cache::open().ok()?;
    let folder = kubeconfig.parent()?;
    folder
        .starts_with(cache.root())
        .then(|| folder.join("discovery"))
}
