//! One face for the three kinds of clusters.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::find_program;
use crate::control_plane::ControlPlane;
use crate::kubectl::Kubectl;
use crate::real_node::RealNode;

/// A cluster to work with. What was started for it ends when this is dropped.
pub enum Cluster {
    /// Simulated nodes.
    ControlPlane(Box<ControlPlane>),
    /// A node that runs containers.
    RealNode(Box<RealNode>),
    /// The user's own.
    Existing(Existing),
}

impl Cluster {
    /// `kubectl` for it.
    pub fn kubectl(&self) -> &Kubectl {
        match self {
            Self::ControlPlane(cluster) => cluster.kubectl(),
            Self::RealNode(cluster) => cluster.kubectl(),
            Self::Existing(cluster) => &cluster.kubectl,
        }
    }
}

/// A cluster of the user's: nothing is built or started for it.
pub struct Existing {
    kubectl: Kubectl,
}

impl Existing {
    /// By a kubeconfig, with the `kubectl` on `PATH`.
    ///
    /// # Errors
    /// When there is no such file, no `kubectl`, or the cluster does not answer.
    pub fn open(kubeconfig: &Path) -> Result<Self> {
        if !kubeconfig.is_file() {
            bail!("there is no kubeconfig {}", kubeconfig.display());
        }
        let Some(program) = find_program("kubectl") else {
            bail!("`kubectl` is not on PATH")
        };
        let kubectl = Kubectl::new(program, PathBuf::from(kubeconfig));
        kubectl.run(&["get", "--raw=/readyz", "--request-timeout=10s"])?;
        Ok(Self { kubectl })
    }
}
