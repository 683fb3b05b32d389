//! A registry that the real node pulls from: it asks for a password, and presents a certificate that the node trusts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache::{Cache, make_folder, write};
use crate::command::capture;
use crate::oci_registry::OciRegistry;
use crate::real_node::RealNode;
use crate::tools::node_tools;

/// A registry on this machine, at an address that the node reaches.
pub struct NodeRegistry {
    registry: OciRegistry,
    ctr: PathBuf,
    node: PathBuf,
}

impl NodeRegistry {
    /// Starts one whose data and log are in a folder, and tells the node that runs whom to trust.
    ///
    /// # Errors
    /// When it cannot be built or started.
    pub fn start(cache: &Cache, folder: &Path) -> Result<Self> {
        let registry = OciRegistry::start_on(cache, folder, RealNode::MACHINE_ADDRESS)?;
        let node = RealNode::folder(cache);
        let host = registry.host();
        let hosts = node.join("registries").join(&host);
        make_folder(&hosts)?;
        let ca = registry.ca_file();
        let trust = format!("[host.\"https://{host}\"]\n  ca = \"{}\"\n", ca.display());
        write(&hosts.join("hosts.toml"), trust)?;
        let ctr = node_tools(cache)?.path("ctr");
        Ok(Self {
            registry,
            ctr,
            node,
        })
    }

    /// As references begin: its address and port.
    pub fn host(&self) -> String {
        self.registry.host()
    }

    /// Pushes an image that the node has, under another name without a tag. The node itself has none of that name then.
    ///
    /// # Errors
    /// When the node has no such image, or the registry does not take it.
    pub fn push(&self, image: &str, repository: &str, tag: &str) -> Result<()> {
        let name = format!("{}/{repository}:{tag}", self.host());
        let user = format!("{}:{}", OciRegistry::USER, OciRegistry::PASSWORD);
        let hosts = self.node.join("registries");
        let hosts = hosts.to_string_lossy();
        self.images(&["tag", "--force", image, &name])?;
        self.images(&["push", "--user", &user, "--hosts-dir", &hosts, &name])?;
        self.images(&["remove", "--sync", &name])
    }

    fn images(&self, arguments: &[&str]) -> Result<()> {
        let socket = self.node.join("ctr/containerd.sock");
        let mut ctr = Command::new(&self.ctr);
        ctr.arg("--address").arg(socket);
        ctr.args(["--namespace=k8s.io", "images"]).args(arguments);
        capture(&mut ctr).map(drop)
    }
}
