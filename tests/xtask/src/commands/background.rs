//! The cluster that `up` leaves behind: where its supervisor says that it runs.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use mcp_cluster::{Cache, process_runs};

/// Files about the cluster in the background.
pub(crate) struct Background {
    folder: PathBuf,
}

impl Background {
    pub(crate) fn open(cache: &Cache) -> Result<Self> {
        Ok(Self {
            folder: cache.folder("state/background")?,
        })
    }

    /// What the supervisor prints.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("supervisor.log")
    }

    fn process_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    fn kubeconfig_file(&self) -> PathBuf {
        self.folder.join("kubeconfig-path")
    }

    fn node_file(&self) -> PathBuf {
        self.folder.join("node")
    }

    /// Whether the cluster has a node that runs containers.
    pub(crate) fn has_node(&self) -> bool {
        self.node_file().exists()
    }

    /// The supervisor's process number, if it runs.
    pub(crate) fn process(&self) -> Option<i32> {
        let pid = fs::read_to_string(self.process_file())
            .ok()?
            .trim()
            .parse()
            .ok()?;
        process_runs(pid).then_some(pid)
    }

    /// The kubeconfig, if the cluster is up.
    pub(crate) fn kubeconfig(&self) -> Option<PathBuf> {
        self.process()?;
        fs::read_to_string(self.kubeconfig_file())
            .ok()
            .map(PathBuf::from)
    }

    /// Notes that this process is the supervisor, and of what.
    pub(crate) fn begin(&self, node: bool) -> Result<()> {
        self.end()?;
        if node {
            fs::write(self.node_file(), "").context("cannot note that there is a node")?;
        }
        fs::write(self.process_file(), std::process::id().to_string())
            .context("cannot note the process number")
    }

    /// Notes that the cluster is up.
    pub(crate) fn ready(&self, kubeconfig: &std::path::Path) -> Result<()> {
        fs::write(
            self.kubeconfig_file(),
            kubeconfig.to_string_lossy().as_bytes(),
        )
        .context("cannot note the kubeconfig")
    }

    /// Forgets the cluster.
    pub(crate) fn end(&self) -> Result<()> {
        for file in [
            self.kubeconfig_file(),
            self.process_file(),
            self.node_file(),
        ] {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", file.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
