//! A control plane on loopback with simulated nodes: everything of Kubernetes but running containers, in seconds and
//! without privileges.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rustix::process::Signal;

use crate::cache::{Cache, Lock, make_folder, remove_folder};
use crate::components::Component;
use crate::kubectl::Kubectl;
use crate::machine;
use crate::ports::free_ports;
use crate::servers::{POD_RANGE, Servers, remove_data, restart};
use crate::simulated_node;
use crate::supervisor::Supervisor;
use crate::tools::{Tools, control_plane_tools};

/// How often a start is tried again with other ports.
const ATTEMPTS: usize = 3;
/// What servers say when a port is taken.
const PORT_TAKEN: &str = "address already in use";

/// What a control plane may differ in.
#[derive(Debug, Clone)]
pub struct ControlPlaneOptions {
    /// The name of its folder below the cache's `state`; two with one name cannot run at once.
    pub name: String,
    /// Whether every request is noted in an audit log.
    pub audit: bool,
    /// More arguments for the API server.
    pub api_server_args: Vec<String>,
}

impl Default for ControlPlaneOptions {
    fn default() -> Self {
        Self {
            name: "control-plane".to_owned(),
            audit: false,
            api_server_args: Vec::new(),
        }
    }
}

/// A running control plane; it stops when this is dropped, and when this program dies.
pub struct ControlPlane {
    supervisor: Supervisor,
    servers: Servers,
    kubectl: Kubectl,
    _lock: Lock,
}

impl ControlPlane {
    /// Builds what is not built yet and starts a control plane with one simulated node.
    ///
    /// # Errors
    /// When something cannot be built or does not start, with the end of its log.
    pub fn start(cache: &Cache, options: ControlPlaneOptions) -> Result<Self> {
        machine::ensure_setpriv()?;
        let tools = control_plane_tools(cache)?;
        let folder = cache.root().join("state").join(&options.name);
        let Some(lock) = cache.try_lock(&options.name)? else {
            bail!(
                "a control plane named {} already runs; `cargo xtask down` stops it",
                options.name
            );
        };
        let mut attempt = 1;
        let (supervisor, servers, kubectl) = loop {
            match start_once(&tools, &folder, &options) {
                Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains(PORT_TAKEN) => {
                    attempt += 1;
                }
                result => break result?,
            }
        };
        Ok(Self {
            supervisor,
            servers,
            kubectl,
            _lock: lock,
        })
    }

    /// The kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> &Path {
        self.kubectl.kubeconfig()
    }

    /// `kubectl` as the administrator.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The audit log, when it was asked for.
    pub fn audit_log(&self) -> Option<PathBuf> {
        self.servers.audit_log()
    }

    /// The log file of a server.
    pub fn log(&self, component: Component) -> PathBuf {
        self.supervisor.log(component)
    }

    /// Ends a server at once, as a crash would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self, component: Component) -> Result<()> {
        self.supervisor.kill(component)
    }

    /// Lets a server stand still, as on a machine that is suspended.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self, component: Component) -> Result<()> {
        self.supervisor.signal(component, Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// As [`ControlPlane::pause`].
    pub fn resume(&self, component: Component) -> Result<()> {
        self.supervisor.signal(component, Signal::CONT)
    }

    /// Restarts a server, or starts again one that was killed, and waits until the API server is ready.
    ///
    /// # Errors
    /// When it is no server of this cluster or does not start.
    pub fn restart(&mut self, component: Component) -> Result<()> {
        restart(&mut self.supervisor, &self.kubectl, component)
    }

    /// Stops all servers and removes the data; the logs stay.
    ///
    /// # Errors
    /// When the data cannot be removed.
    pub fn stop(mut self) -> Result<()> {
        self.supervisor.stop();
        remove_data(&self.servers.folder)
    }
}

fn start_once(
    tools: &Tools,
    folder: &Path,
    options: &ControlPlaneOptions,
) -> Result<(Supervisor, Servers, Kubectl)> {
    remove_folder(folder)?;
    make_folder(folder)?;
    let [api_port, etcd_port, etcd_peer_port, kwok_port] = free_ports()?;
    let servers = Servers {
        tools: tools.clone(),
        folder: folder.to_owned(),
        address: Ipv4Addr::LOCALHOST,
        api_port,
        etcd_port,
        etcd_peer_port,
        audit: options.audit,
        api_server_args: options.api_server_args.clone(),
    };
    let mut supervisor = Supervisor::new(folder.to_owned(), None);
    let kubectl = servers.start(&mut supervisor)?;
    simulated_node::join(&mut supervisor, &kubectl, tools, kwok_port, POD_RANGE)?;
    Ok((supervisor, servers, kubectl))
}
