//! A real Prometheus, and its tool that judges what others write for it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{capture, checked};
use crate::machine;
use crate::ports::free_port;
use crate::process::Process;

/// How long it may take until it answers.
const START: Duration = Duration::from_mins(1);

/// A running Prometheus that scrapes one target each second; it stops when this is dropped.
pub struct Prometheus {
    _process: Process,
    address: String,
}

impl Prometheus {
    /// Starts it. `target`: `address:port` of what is scraped. Its data and its log go into `folder`, and `rules` are
    /// evaluated.
    ///
    /// # Errors
    /// When it is missing and cannot be installed, or does not start.
    pub fn start(folder: &Path, target: &str, rules: &[PathBuf]) -> Result<Self> {
        machine::ensure_prometheus()?;
        fs::create_dir_all(folder).context("cannot make a folder for Prometheus")?;
        let config = serde_json::json!({
            "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
            "rule_files": rules,
            "scrape_configs": [{
                "job_name": "mcp-operator",
                // What a ServiceMonitor adds.
                "static_configs": [{ "targets": [target], "labels": { "namespace": "mcp-operator-system", "pod": "mcp-operator-0" } }],
            }],
        });
        let file = folder.join("prometheus.yml");
        fs::write(&file, config.to_string()).context("cannot configure Prometheus")?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let prepare = |command: &mut Command| {
            command
                .arg(format!("--config.file={}", file.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.join("data").display()
                ))
                .arg(format!("--web.listen-address={address}"));
        };
        let log = folder.join("prometheus.log");
        let mut process = Process::start(Path::new("prometheus"), prepare, &log)?;
        process
            .wait(START, || query(&address, "vector(1)").is_ok())
            .context("Prometheus does not answer")?;
        Ok(Self {
            _process: process,
            address,
        })
    }

    /// The series of an expression now, each with its `metric` and its `value`.
    ///
    /// # Errors
    /// When it is no expression.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>> {
        query(&self.address, expression)
    }

    /// The series of an expression for the last minutes, a point every five seconds, each with its `metric` and its `values`:
    /// seconds since 1970, and a number as text.
    ///
    /// # Errors
    /// When it is no expression.
    pub fn query_range(&self, expression: &str, last: Duration) -> Result<Vec<Value>> {
        let url = format!("http://{}", self.address);
        let start = SystemTime::now() - last;
        let start = start.duration_since(UNIX_EPOCH)?.as_secs();
        let mut command = Command::new("promtool");
        command
            .args(["query", "range", "--format=json", "--step=5s"])
            .arg(format!("--start={start}"))
            .args([&url, expression]);
        series(&capture(&mut command)?)
    }
}

fn query(address: &str, expression: &str) -> Result<Vec<Value>> {
    let url = format!("http://{address}");
    let answer = capture(Command::new("promtool").args([
        "query",
        "instant",
        "--format=json",
        &url,
        expression,
    ]))?;
    series(&answer)
}

fn series(answer: &str) -> Result<Vec<Value>> {
    serde_json::from_str(answer).with_context(|| format!("no series: {answer}"))
}

/// Has metrics, as they are scraped, judged by `promtool check metrics`.
///
/// # Errors
/// What it finds wrong.
pub fn check_metrics(text: &str) -> Result<()> {
    machine::ensure_prometheus()?;
    let mut command = Command::new("promtool");
    command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start promtool")?;
    let mut input = child.stdin.take().context("promtool has no input")?;
    input.write_all(text.as_bytes())?;
    drop(input);
    checked(&command, child.wait_with_output()?).map(drop)
}

/// Runs the test cases of rules in a file.
///
/// # Errors
/// What does not come out as the file says.
pub fn test_rules(file: &Path) -> Result<()> {
    machine::ensure_prometheus()?;
    capture(Command::new("promtool").args(["test", "rules"]).arg(file)).map(drop)
}
