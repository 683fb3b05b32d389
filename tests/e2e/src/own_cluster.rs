//! A control plane that one test has for itself.

use std::sync::{Condvar, Mutex, PoisonError};

use anyhow::{Context, Result};
use mcp_cluster::{Cache, ControlPlane, ControlPlaneOptions, Kubectl};

use crate::audit::AuditLog;
use crate::environment::Environment;
use crate::install::{install_definitions, install_plugins};

/// How many the tests of one program have at once. Most of a test's time is waiting for something, also on two cores; with
/// more of them the waits get as much longer as there are fewer of them.
const AT_ONCE: usize = 2;

/// A control plane that a test may break, with everything installed except for an operator.
pub struct OwnCluster {
    /// Its servers.
    pub servers: ControlPlane,
    /// It, and the parts of the project.
    pub environment: Environment,
    /// What the operator asks of it.
    pub audit: AuditLog,
    // Dropped after the servers, as fields are dropped in their order.
    _permit: Permit,
}

impl OwnCluster {
    /// Namespace of the MCPServers.
    pub const NAMESPACE: &str = "servers";

    /// Starts it, with more arguments for the API server; waits while there are too many already.
    ///
    /// # Errors
    /// When it does not start, or refuses what is installed.
    pub fn start(name: &str, api_server_args: &[&str]) -> Result<Self> {
        let permit = Permit::take();
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
            _permit: permit,
        })
    }

    /// `kubectl` as its administrator.
    pub fn kubectl(&self) -> &Kubectl {
        &self.environment.kubectl
    }
}

/// The right to have a control plane; it is given back when this is dropped.
struct Permit;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

impl Permit {
    fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = GIVEN_BACK
            .wait_while(taken, |taken| *taken >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        GIVEN_BACK.notify_one();
    }
}
