//! A real LiteLLM for a real node, and the official MCP client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache::{Cache, content_key, read, repository};
use crate::command::{capture, run_logged};
use crate::image;
use crate::kubectl::Kubectl;
use crate::machine::ensure_python;
use crate::progress::Progress;
use crate::real_node::RealNode;
use crate::template::fill;

/// Image that runs programs of the machine.
const HOST_IMAGE: &str = "docker.io/local/host:1";
/// The proxy imports half of PyPI at its start.
const START: Duration = Duration::from_mins(4);

/// LiteLLM and the MCP client, installed.
#[derive(Debug, Clone)]
pub struct LiteLlm {
    environment: PathBuf,
}

impl LiteLlm {
    /// The key of the proxy's administrator.
    pub const KEY: &'static str = "sk-test-master";

    /// Installs them into the cache, unless that was done.
    ///
    /// # Errors
    /// When there is no Python, or pip fails, with the end of its log.
    pub fn install(cache: &Cache) -> Result<Self> {
        let requirements = requirements();
        let environment = place(cache)?;
        if Self::is_installed(cache)? {
            return Ok(Self { environment });
        }
        let _lock = cache.lock("python")?;
        let python = ensure_python()?;
        let log = environment.with_extension("log");
        Progress::new(1).step("install LiteLLM", || {
            capture(
                Command::new(python)
                    .args(["-m", "venv", "--clear"])
                    .arg(&environment),
            )?;
            let mut pip = Command::new(environment.join("bin/pip"));
            run_logged(
                pip.args(["install", "--no-deps", "--requirement"])
                    .arg(&requirements),
                &log,
            )
        })?;
        fs::write(environment.join("installed"), "")
            .context("cannot mark the Python environment as installed")?;
        Ok(Self { environment })
    }

    /// Whether [`LiteLlm::install`] has nothing to do.
    ///
    /// # Errors
    /// When the checkout does not say what is installed.
    pub fn is_installed(cache: &Cache) -> Result<bool> {
        Ok(place(cache)?.join("installed").is_file())
    }

    pub(crate) fn environment(&self) -> &Path {
        &self.environment
    }

    /// `PATH` with its programs before those of the machine.
    pub(crate) fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", self.environment.join("bin").display())
    }

    /// Deploys the proxy into a cluster and waits until it serves.
    ///
    /// # Errors
    /// When the cluster refuses it, or it does not start.
    pub fn deploy(&self, node: &RealNode) -> Result<()> {
        let archive = node.logs().join("images/host.tar");
        image::host(HOST_IMAGE, &archive)?;
        node.load_image(&archive)?;
        let template = String::from_utf8_lossy(&read(&folder().join("litellm.yaml"))?).into_owned();
        let venv = self.environment.to_string_lossy();
        node.kubectl().apply(&fill(
            "litellm.yaml",
            &template,
            &[("VENV", &venv), ("KEY", Self::KEY)],
        )?)?;
        rolled_out(node.kubectl())
    }

    /// The tools that the proxy offers; none if it says that there is nothing that may be used.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn tools(&self, kubectl: &Kubectl) -> Result<Vec<String>> {
        serde_json::from_value(self.client(kubectl, &["list"])?)
            .context("the list of tools is no list")
    }

    /// Calls a tool through the proxy.
    ///
    /// # Errors
    /// When the proxy or the tool fails.
    pub fn call(&self, kubectl: &Kubectl, tool: &str, arguments: &Value) -> Result<String> {
        let answer = self.client(kubectl, &["call", tool, &arguments.to_string()])?;
        let texts: Vec<String> = serde_json::from_value(answer).context("the answer is no text")?;
        Ok(texts.join("\n"))
    }

    /// Calls a tool through the proxy many times, in one session with the proxy, and gives all answers.
    ///
    /// # Errors
    /// When the proxy or the tool fails once.
    pub fn call_often(
        &self,
        kubectl: &Kubectl,
        times: usize,
        tool: &str,
        arguments: &Value,
    ) -> Result<Vec<String>> {
        let words = ["repeat", &times.to_string(), tool, &arguments.to_string()];
        serde_json::from_value(self.client(kubectl, &words)?).context("the answers are no texts")
    }

    /// What the proxy's own loader makes of files for `include`: for each, what it knows about its servers by their names,
    /// or as text the error that the proxy would not start with. Each environment variable that a file refers to has the
    /// value `value of <its name>`.
    ///
    /// # Errors
    /// When the loader cannot be run.
    pub fn load(&self, files: &[PathBuf]) -> Result<Vec<Value>> {
        let mut command = Command::new(self.environment.join("bin/python"));
        let said = capture(
            command
                .arg(folder().join("check_include.py"))
                .args(files)
                .envs(OFFLINE),
        )?;
        // The loader itself may print before.
        let last = said.lines().last().unwrap_or_default();
        serde_json::from_str(last).context("the loader printed no JSON")
    }

    /// One request to the admin API, as its administrator or with another key: the status code and the answer.
    ///
    /// # Errors
    /// When the proxy does not answer.
    pub fn admin(
        &self,
        kubectl: &Kubectl,
        key: Option<&str>,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u64, Value)> {
        let mut command = Command::new(self.environment.join("bin/python"));
        command
            .arg(folder().join("admin_api.py"))
            .args([
                address(kubectl)?.as_str(),
                key.unwrap_or(Self::KEY),
                method,
                path,
            ])
            .args(body.map(Value::to_string));
        let said: Value =
            serde_json::from_str(&capture(&mut command)?).context("the answer is no JSON")?;
        Ok((
            said["status"].as_u64().unwrap_or_default(),
            said["body"].clone(),
        ))
    }

    /// Runs a Python script that asks the proxy in the proxy's own pod, at 127.0.0.1:4000; here with the address of its Service
    /// in that one's place. Gives what it prints.
    ///
    /// # Errors
    /// When it fails.
    pub fn run_script(&self, kubectl: &Kubectl, script: &str, words: &[&str]) -> Result<String> {
        let script = script.replace("http://127.0.0.1:4000", &address(kubectl)?);
        let mut command = Command::new(self.environment.join("bin/python"));
        command.args(["-c", &script]).args(words);
        capture(
            command
                .env("LITELLM_MASTER_KEY", Self::KEY)
                .env("NO_PROXY", "*"),
        )
    }

    fn client(&self, kubectl: &Kubectl, words: &[&str]) -> Result<Value> {
        let url = format!("{}/mcp", address(kubectl)?);
        let script = folder().join("mcp_client.py");
        let mut command = Command::new(self.environment.join("bin/python"));
        let said = capture(
            command
                .arg(script)
                .args([url.as_str(), Self::KEY])
                .args(words)
                .env("NO_PROXY", "*"),
        )?;
        serde_json::from_str(&said).context("the MCP client printed no JSON")
    }
}

/// What is installed: the version that is pinned, or with `MCP_OPERATOR_LITELLM=newest` the newest that was tried.
fn requirements() -> PathBuf {
    let newest = std::env::var_os("MCP_OPERATOR_LITELLM").is_some_and(|wanted| wanted == "newest");
    folder().join(if newest {
        "requirements-newest.txt"
    } else {
        "requirements.txt"
    })
}

/// The folder of the Python environment with what is required now.
fn place(cache: &Cache) -> Result<PathBuf> {
    let requirements = read(&requirements())?;
    let key = content_key([requirements.as_slice()]);
    Ok(cache.folder("python")?.join(key))
}

/// Nothing is fetched from the Internet.
const OFFLINE: [(&str, &str); 5] = [
    ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
    ("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True"),
    ("LITELLM_LOCAL_POLICY_TEMPLATES", "True"),
    ("LITELLM_LOCAL_BLOG_POSTS", "True"),
    ("LITELLM_TELEMETRY", "False"),
];

/// Waits until the proxy's rollout is complete.
///
/// # Errors
/// When it does not become complete.
pub fn rolled_out(kubectl: &Kubectl) -> Result<()> {
    let timeout = format!("--timeout={}s", START.as_secs());
    kubectl
        .run(&[
            "rollout",
            "status",
            "deployment/litellm-proxy",
            "--namespace=litellm",
            &timeout,
        ])
        .map(drop)
}

/// Base URL of the proxy, as the machine reaches it.
fn address(kubectl: &Kubectl) -> Result<String> {
    let address = kubectl.run(&[
        "get",
        "service",
        "litellm-proxy",
        "--namespace=litellm",
        "--output=jsonpath={.spec.clusterIP}",
    ])?;
    Ok(format!("http://{address}:4000"))
}

fn folder() -> PathBuf {
    repository().join("tests/litellm")
}
