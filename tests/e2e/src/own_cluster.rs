//! A control plane that one test has for itself.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use mcp_cluster::{Cache, ControlPlane, ControlPlaneOptions, Kubectl};

use crate::audit::AuditLog;
use crate::environment::Environment;
use crate::install::{install_definitions, install_plugins};

/// A control plane that a test may break, with everything installed except for an operator.
pub struct OwnCluster {
    /// Its servers.
    pub servers: ControlPlane,
    /// It, and the parts of the project.
    pub environment: Environment,
    /// What the operator asks of it.
    pub audit: AuditLog,
    _turn: MutexGuard<'static, ()>,
}

impl OwnCluster {
    /// Namespace of the MCPServers.
    pub const NAMESPACE: &str = "servers";

    /// Starts it, with more arguments for the API server. One test of a process has one at a time: each needs the machine.
    ///
    /// # Errors
    /// When it does not start, or refuses what is installed.
    pub fn start(name: &str, api_server_args: &[&str]) -> Result<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let options = ControlPlaneOptions {
            name: format!("test-{name}"),
            audit: true,
            api_server_args: api_server_args.iter().map(ToString::to_string).collect(),
        };
        let servers = ControlPlane::start(&Cache::open()?, options)?;
        let kubectl = servers.kubectl().clone();
        install_definitions(&kubectl)?;
        install_plugins(&kubectl)?;
        // The second is where the registrar writes to.
        for namespace in [Self::NAMESPACE, "litellm"] {
            kubectl.run(&["create", "namespace", namespace])?;
        }
        let audit = servers.audit_log().context("no audit log")?;
        Ok(Self {
            audit: AuditLog::new(&audit),
            environment: Environment {
                kubectl,
                audit: Some(audit),
                ..Environment::open()?
            },
            servers,
            _turn: turn,
        })
    }

    /// `kubectl` as its administrator.
    pub fn kubectl(&self) -> &Kubectl {
        &self.environment.kubectl
    }
}
