//! The operator as Helm installs, upgrades and rolls it back.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use mcp_cluster::{Cache, capture, chart_tools, repository};
use mcp_e2e::Environment;

/// `cargo xtask availability` sets them, where it begins with another version.
const BEFORE_CHART: &str = "MCP_AVAILABILITY_BEFORE_CHART";
const BEFORE_IMAGE: &str = "MCP_AVAILABILITY_BEFORE_IMAGE";
const IMAGE: &str = "docker.io/local/mcp-operator:dev";

pub(crate) struct Installation {
    helm: PathBuf,
    kubeconfig: PathBuf,
    /// Chart and image of the version that it begins with.
    before: Option<(PathBuf, String)>,
}

impl Installation {
    /// Of the version before, if there is one.
    pub(crate) fn start(environment: &Environment) -> Result<Self> {
        let before = env::var_os(BEFORE_CHART).map(PathBuf::from);
        let installation = Self {
            helm: chart_tools(&Cache::open()?)?.path("helm"),
            kubeconfig: environment.kubectl.kubeconfig().to_owned(),
            before: before.zip(env::var(BEFORE_IMAGE).ok()),
        };
        let (chart, image) = installation.before.clone().unwrap_or_else(current);
        installation.chart("install", &chart, &image, &["--create-namespace"])?;
        Ok(installation)
    }

    /// To this version; where it is this one already, to other options.
    pub(crate) fn upgrade(&self) -> Result<()> {
        let (chart, image) = current();
        let option = ["--set", "options.registry-resync-seconds=30"];
        self.chart("upgrade", &chart, &image, &option)
    }

    /// To what was there before the upgrade.
    pub(crate) fn roll_back(&self) -> Result<()> {
        self.helm(&["rollback", "mcp-operator"])
    }

    fn chart(&self, verb: &str, chart: &std::path::Path, image: &str, more: &[&str]) -> Result<()> {
        let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let chart = chart.to_string_lossy();
        let repository = format!("image.repository={repository}");
        let tag = format!("image.tag={tag}");
        let allowed = "plugins.validation.settings.allowedRegistries={docker.io/local}";
        let set = ["--set", &repository, "--set", &tag, "--set", allowed];
        self.helm(&[&[verb, "mcp-operator", &chart][..], &set, more].concat())
    }

    fn helm(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.helm);
        command
            .args(arguments)
            .args([
                "--namespace",
                "mcp-operator-system",
                "--wait",
                "--timeout=240s",
            ])
            .arg("--kubeconfig")
            .arg(&self.kubeconfig);
        capture(&mut command).map(drop)
    }
}

/// The chart and the image of this version.
fn current() -> (PathBuf, String) {
    (repository().join("deploy/chart"), IMAGE.to_owned())
}
