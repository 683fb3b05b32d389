//! What the tests are told by who starts them.

use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use mcp_cluster::Kubectl;

use crate::artifacts::Artifacts;

const KUBECTL: &str = "MCP_TEST_KUBECTL";
const KUBECONFIG: &str = "MCP_TEST_KUBECONFIG";
const OPERATOR: &str = "MCP_TEST_OPERATOR";
const PLUGINS: &str = "MCP_TEST_PLUGINS";
const FIXTURES: &str = "MCP_TEST_FIXTURES";
const SERVER: &str = "MCP_TEST_SERVER";
const LOGS: &str = "MCP_TEST_LOGS";
const AUDIT: &str = "MCP_TEST_AUDIT";
const WEBHOOK_HOST: &str = "MCP_TEST_WEBHOOK_HOST";

/// A cluster, and the parts of the project.
#[derive(Debug, Clone)]
pub struct Environment {
    /// `kubectl` as the administrator.
    pub kubectl: Kubectl,
    /// The parts.
    pub artifacts: Artifacts,
    /// Where logs go.
    pub logs: PathBuf,
    /// The audit log of the API server, if it keeps one.
    pub audit: Option<PathBuf>,
    /// The address of this machine at which the API server calls webhooks.
    pub webhook_host: IpAddr,
}

impl Environment {
    /// Where an API server on this machine calls webhooks.
    pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Of a cluster that calls webhooks on loopback, and whose audit log nobody needs.
    #[must_use]
    pub fn new(kubectl: Kubectl, artifacts: Artifacts, logs: PathBuf) -> Self {
        Self {
            kubectl,
            artifacts,
            logs,
            audit: None,
            webhook_host: Self::LOOPBACK,
        }
    }

    /// Of programs that start a control plane of their own: this `kubectl` has no cluster yet, and fails if it is asked.
    #[must_use]
    pub fn without_cluster(kubectl: PathBuf, artifacts: Artifacts, logs: PathBuf) -> Self {
        let none = logs.join("no-kubeconfig");
        Self::new(Kubectl::new(kubectl, none), artifacts, logs)
    }

    /// Reads it from the variables.
    ///
    /// # Errors
    /// When there are none: the tests were not started by `cargo xtask test`.
    pub fn open() -> Result<Self> {
        let path = |name: &str| {
            env::var_os(name).map(PathBuf::from).with_context(|| {
                format!("{name} is not set: start these tests with `cargo xtask test`")
            })
        };
        Ok(Self {
            kubectl: Kubectl::new(path(KUBECTL)?, path(KUBECONFIG)?),
            artifacts: Artifacts {
                operator: path(OPERATOR)?,
                plugins: path(PLUGINS)?,
                fixtures: path(FIXTURES)?,
                server: path(SERVER)?,
            },
            logs: path(LOGS)?,
            audit: path(AUDIT).ok(),
            webhook_host: match env::var(WEBHOOK_HOST) {
                Ok(host) => host
                    .parse()
                    .with_context(|| format!("{WEBHOOK_HOST} is no IP address: {host}"))?,
                Err(_) => Self::LOOPBACK,
            },
        })
    }

    /// Tells it to a command that runs tests.
    pub fn tell(&self, command: &mut Command) {
        command
            .env(KUBECTL, self.kubectl.program())
            .env(KUBECONFIG, self.kubectl.kubeconfig())
            .env(OPERATOR, &self.artifacts.operator)
            .env(PLUGINS, &self.artifacts.plugins)
            .env(FIXTURES, &self.artifacts.fixtures)
            .env(SERVER, &self.artifacts.server)
            .env(LOGS, &self.logs)
            .env(WEBHOOK_HOST, self.webhook_host.to_string());
        if let Some(audit) = &self.audit {
            command.env(AUDIT, audit);
        }
    }
}
