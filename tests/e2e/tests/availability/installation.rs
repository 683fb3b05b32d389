//! The operator as Helm installs, upgrades and rolls it back.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;
use mcp_cluster::{Cache, Helm};
use mcp_e2e::{Environment, LOCAL_VALUES};

/// `cargo xtask availability` sets them, where it begins with another version.
const BEFORE_CHART: &str = "MCP_AVAILABILITY_BEFORE_CHART";
const BEFORE_IMAGE: &str = "MCP_AVAILABILITY_BEFORE_IMAGE";
/// The release, and where it is.
const NAME: &str = "mcp-operator";
const NAMESPACE: &str = "mcp-operator-system";
const WAIT: [&str; 2] = ["--wait", "--timeout=240s"];
const IMAGE: &str = "docker.io/local/mcp-operator:dev";

pub(crate) struct Installation {
    helm: Helm,
    /// Chart and image of the version that it begins with.
    before: Option<(PathBuf, String)>,
}

impl Installation {
    /// Of the version before, if there is one.
    pub(crate) fn start(environment: &Environment) -> Result<Self> {
        let before = env::var_os(BEFORE_CHART).map(PathBuf::from);
        let installation = Self {
            helm: Helm::build(&Cache::open()?, &environment.kubectl)?,
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
        let back = ["rollback", NAME, "--namespace", NAMESPACE];
        self.helm.run(&[&back[..], &WAIT].concat()).map(drop)
    }

    fn chart(&self, verb: &str, chart: &Path, image: &str, more: &[&str]) -> Result<()> {
        let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let repository = format!("image.repository={repository}");
        let tag = format!("image.tag={tag}");
        let image = ["--set", &repository, "--set", &tag];
        let more = [&LOCAL_VALUES[..], &image, more, &WAIT].concat();
        let made = self.helm.release(verb, NAME, NAMESPACE, chart, &more);
        made.map(drop)
    }
}

/// The chart and the image of this version.
fn current() -> (PathBuf, String) {
    (Helm::chart(), IMAGE.to_owned())
}
