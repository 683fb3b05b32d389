//! Helm, as those have it who install charts with MCPServers.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cache::{Cache, repository};
use crate::command::capture;
use crate::kubectl::Kubectl;
use crate::tools::chart_tools;

/// Helm 4, and the chart of `tests/helm` with one MCPServer.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
}

impl Helm {
    /// Builds it, unless it is there.
    ///
    /// # Errors
    /// When Go is missing, or its modules cannot be downloaded.
    pub fn build(cache: &Cache) -> Result<Self> {
        Ok(Self {
            program: chart_tools(cache)?.path("helm"),
        })
    }

    /// `helm upgrade --install --wait` of the chart under this name, with values as `--set` has them: what Helm says, when it
    /// has waited.
    ///
    /// # Errors
    /// When it does not become ready in time, or cannot.
    pub fn upgrade(
        &self,
        kubectl: &Kubectl,
        release: &str,
        namespace: &str,
        timeout: &str,
        values: &[&str],
    ) -> Result<String> {
        let mut command = Command::new(&self.program);
        command
            .args(["upgrade", "--install", "--wait", "--timeout", timeout])
            .args(["--namespace", namespace, release])
            .arg(repository().join("tests/helm/chart"))
            .arg("--kubeconfig")
            .arg(kubectl.kubeconfig());
        for value in values {
            command.args(["--set", value]);
        }
        capture(&mut command)
    }
}
