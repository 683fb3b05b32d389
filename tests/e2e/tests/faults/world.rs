//! A control plane of a test's own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Cache, ControlPlane, ControlPlaneOptions, Kubectl};
use mcp_e2e::{AuditLog, Environment, Request, eventually, install_definitions, install_plugins};
use serde_json::{Value, json};

/// Long: several servers have to come back after a fault, on a machine that may be busy.
pub(crate) const RECOVERY: Duration = Duration::from_mins(3);

const NAMESPACE: &str = "servers";

/// A control plane that one test may break.
pub(crate) struct World {
    pub(crate) cluster: ControlPlane,
    pub(crate) environment: Environment,
    pub(crate) audit: AuditLog,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    /// Starts one, with everything installed but without an operator. One test at a time: each needs the machine.
    pub(crate) fn start(name: &str) -> Result<Self> {
        Self::start_with(name, &[])
    }

    /// The same, with more arguments for the API server.
    pub(crate) fn start_with(name: &str, api_server_args: &[&str]) -> Result<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let options = ControlPlaneOptions {
            name: format!("test-{name}"),
            audit: true,
            api_server_args: api_server_args.iter().map(ToString::to_string).collect(),
        };
        let cluster = ControlPlane::start(&Cache::open()?, options)?;
        install_definitions(cluster.kubectl())?;
        install_plugins(cluster.kubectl())?;
        // The second is where the registrar writes to.
        for namespace in [NAMESPACE, "litellm"] {
            cluster.kubectl().run(&["create", "namespace", namespace])?;
        }
        let environment = Environment {
            kubectl: cluster.kubectl().clone(),
            ..Environment::open()?
        };
        let audit = AuditLog::new(&cluster.audit_log().context("no audit log")?);
        Ok(Self {
            cluster,
            environment,
            audit,
            _turn: turn,
        })
    }

    pub(crate) fn kubectl(&self) -> &Kubectl {
        &self.environment.kubectl
    }

    /// Applies servers `s-0`, `s-1`, ...
    pub(crate) fn apply(&self, count: usize) -> Result<()> {
        self.apply_some(0..count)
    }

    pub(crate) fn apply_some(&self, which: std::ops::Range<usize>) -> Result<()> {
        let servers: Vec<Value> = which.map(server).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": servers });
        self.kubectl().apply(&list.to_string()).map(drop)
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Result<Value> {
        self.kubectl()
            .json(&["get", kind, name, "--namespace", NAMESPACE])
    }

    pub(crate) fn delete(&self, kind: &str, name: &str) -> Result<()> {
        let delete = ["delete", kind, name, "--namespace", NAMESPACE];
        self.kubectl().run(&delete).map(drop)
    }

    /// How many objects of a kind there are.
    pub(crate) fn count(&self, kind: &str) -> Result<usize> {
        let names = self.kubectl().run(&[
            "get",
            kind,
            "--namespace",
            NAMESPACE,
            "--selector=app.kubernetes.io/managed-by=mcp-operator",
            "--output=name",
        ])?;
        Ok(names.lines().count())
    }

    /// Waits until so many servers are ready, with all of their objects.
    pub(crate) fn converged(&self, count: usize) -> Result<()> {
        eventually("all servers are ready", RECOVERY, || {
            let phases = self.kubectl().run(&[
                "get",
                "mcpservers",
                "--namespace",
                NAMESPACE,
                "--output=jsonpath={.items[*].status.phase}",
            ])?;
            let ready = phases.split(' ').filter(|phase| *phase == "Ready").count();
            ensure!(ready == count, "{ready} of {count} are ready");
            Ok(())
        })?;
        for kind in ["serviceaccounts", "configmaps", "services", "deployments"] {
            let found = self.count(kind)?;
            ensure!(found == count, "{found} {kind} of {count}");
        }
        Ok(())
    }

    /// Waits until the operator has nothing more to ask, and gives what it asked for before that.
    pub(crate) fn settled(&mut self) -> Result<Vec<Request>> {
        let mut all = Vec::new();
        let mut quiet = 0;
        while quiet < 6 {
            std::thread::sleep(Duration::from_millis(500));
            let requests = self.audit.requests()?;
            quiet = if requests.iter().any(Request::is_write) {
                0
            } else {
                quiet + 1
            };
            all.extend(requests);
        }
        Ok(all)
    }
}

fn server(index: usize) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": format!("s-{index}"), "namespace": NAMESPACE },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "config": { "a": 1 },
            "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } }, "litellm": { "autoRegister": false },
        },
    })
}
