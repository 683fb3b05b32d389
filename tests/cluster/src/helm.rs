//! Helm, for one cluster.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cache::{Cache, repository};
use crate::command::capture;
use crate::kubectl::Kubectl;
use crate::tools::chart_tools;

/// Helm 4, which works on one cluster.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
    kubectl: Kubectl,
}

impl Helm {
    /// Builds it, unless it is there.
    ///
    /// # Errors
    /// When Go is missing, or its modules cannot be downloaded.
    pub fn build(cache: &Cache, kubectl: &Kubectl) -> Result<Self> {
        Ok(Self {
            program: chart_tools(cache)?.path("helm"),
            kubectl: kubectl.clone(),
        })
    }

    /// The operator's own chart.
    pub fn chart() -> PathBuf {
        repository().join("deploy/chart")
    }

    /// Runs it with these arguments: what it says.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        capture(self.kubectl.command_of(&self.program).args(arguments))
    }

    /// `helm install` or another verb that takes a chart: of this one under this name, with more arguments.
    ///
    /// # Errors
    /// As [`Helm::run`].
    pub fn release(
        &self,
        verb: &str,
        release: &str,
        namespace: &str,
        chart: &Path,
        more: &[&str],
    ) -> Result<String> {
        let chart = chart.to_string_lossy();
        let arguments = [verb, release, &chart, "--namespace", namespace];
        self.run(&[&arguments, more].concat())
    }

    /// `helm upgrade --install --wait` of the chart of `tests/helm`, which has one MCPServer, with values as `--set` has them:
    /// what Helm says, when it has waited.
    ///
    /// # Errors
    /// When it does not become ready in time, or cannot.
    pub fn upgrade(
        &self,
        release: &str,
        namespace: &str,
        timeout: &str,
        values: &[&str],
    ) -> Result<String> {
        let mut more = vec!["--install", "--wait", "--timeout", timeout];
        more.extend(values.iter().flat_map(|value| ["--set", value]));
        let chart = repository().join("tests/helm/chart");
        self.release("upgrade", release, namespace, &chart, &more)
    }
}
