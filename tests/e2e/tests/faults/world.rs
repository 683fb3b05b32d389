//! A control plane of a test's own.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::Kubectl;
use mcp_e2e::{OwnCluster, Request, eventually};
use serde_json::{Value, json};

/// Long: several servers have to come back after a fault, on a machine that may be busy.
pub(crate) const RECOVERY: Duration = Duration::from_mins(3);

const NAMESPACE: &str = OwnCluster::NAMESPACE;

/// A control plane that one test may break.
pub(crate) struct World {
    pub(crate) own: OwnCluster,
}

impl World {
    /// Starts one, with everything installed but without an operator.
    pub(crate) fn start(name: &str) -> Result<Self> {
        Self::start_with(name, &[])
    }

    /// The same, with more arguments for the API server.
    pub(crate) fn start_with(name: &str, api_server_args: &[&str]) -> Result<Self> {
        let own = OwnCluster::start(name, api_server_args)?;
        Ok(Self { own })
    }

    pub(crate) fn kubectl(&self) -> &Kubectl {
        self.own.kubectl()
    }

    /// Takes the webhook configurations away: without an operator, nobody answers.
    pub(crate) fn delete_webhooks(&self) -> Result<()> {
        let delete = [
            "delete",
            "mutatingwebhookconfiguration/mcp-operator",
            "validatingwebhookconfiguration/mcp-operator",
        ];
        self.kubectl().run(&delete).map(drop)
    }

    /// Applies servers `s-0`, `s-1`, ...
    pub(crate) fn apply(&self, count: usize) -> Result<()> {
        self.apply_some(0..count)
    }

    pub(crate) fn apply_some(&self, which: std::ops::Range<usize>) -> Result<()> {
        self.apply_with(which, &json!({}))
    }

    /// The same, with these parts of the specification.
    pub(crate) fn apply_with(&self, which: std::ops::Range<usize>, spec: &Value) -> Result<()> {
        self.kubectl().apply(&list(which, spec)).map(drop)
    }

    /// Applies servers beside what the test does, until the API server goes.
    pub(crate) fn apply_meanwhile(&self, count: usize) -> JoinHandle<()> {
        let (kubectl, servers) = (self.kubectl().clone(), list(0..count, &json!({})));
        thread::spawn(move || drop(kubectl.apply(&servers)))
    }

    /// What the registrar rolls out: a LiteLLM of which nothing is asked.
    pub(crate) fn gateway(&self) -> Result<()> {
        let pod = json!({ "metadata": { "labels": { "app": "litellm" } }, "spec": { "containers": [{ "name": "a", "image": "docker.io/a:1" }] } });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "litellm-proxy", "namespace": "litellm" },
            "spec": { "selector": { "matchLabels": { "app": "litellm" } }, "template": pod },
        });
        self.kubectl().apply(&deployment.to_string()).map(drop)
    }

    /// A condition of `s-0`.
    pub(crate) fn condition(&self, kind: &str) -> Result<Value> {
        condition(&self.get("mcpserver", "s-0")?, kind)
    }

    /// A member of a condition of every server that has the condition.
    pub(crate) fn conditions(&self, kind: &str, member: &str) -> Result<Vec<String>> {
        let path = format!(r#"{{.items[*].status.conditions[?(@.type=="{kind}")].{member}}}"#);
        let found = self.kubectl().run(&[
            "get",
            "mcpservers",
            "--namespace",
            NAMESPACE,
            &format!("--output=jsonpath={path}"),
        ])?;
        Ok(found.split_whitespace().map(str::to_owned).collect())
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
        self.own.audit.settled(|_| true)
    }
}

/// Servers, with these parts of the specification.
pub(crate) fn list(which: std::ops::Range<usize>, spec: &Value) -> String {
    let server = |index| {
        let mut server = server(index);
        for (name, part) in spec.as_object().into_iter().flatten() {
            server["spec"][name] = part.clone();
        }
        server
    };
    let servers: Vec<Value> = which.map(server).collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": servers }).to_string()
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

/// A condition of an MCPServer.
pub(crate) fn condition(server: &Value, kind: &str) -> Result<Value> {
    let conditions = server["status"]["conditions"]
        .as_array()
        .context("no status")?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind);
    found.cloned().with_context(|| format!("no {kind}"))
}
