//! What the tests share: one operator, and a namespace for each of them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::Kubectl;
use mcp_e2e::{AuditLog, Environment, Operator, Request, eventually};
use serde_json::{Map, Value, json};

/// Long, because a busy machine is no error.
pub(crate) const SOON: Duration = Duration::from_secs(90);
/// The operator's own namespace.
pub(crate) const OPERATOR: &str = "mcp-operator-system";

/// The environment, with an operator that runs as long as the tests.
pub(crate) fn environment() -> &'static Environment {
    &started().0
}

/// That operator.
pub(crate) fn operator() -> &'static Operator {
    &started().1
}

fn started() -> &'static (Environment, Operator) {
    static STARTED: OnceLock<(Environment, Operator)> = OnceLock::new();
    let start = || {
        let environment = Environment::open().unwrap();
        let operator = Operator::start(&environment, "control-plane").unwrap();
        (environment, operator)
    };
    STARTED.get_or_init(start)
}

/// A namespace of one test.
pub(crate) struct World {
    pub(crate) kubectl: Kubectl,
    pub(crate) namespace: String,
}

impl World {
    pub(crate) fn new(namespace: &str) -> Self {
        Self::allowed(namespace, &[])
    }

    /// The same, with what the platform allows: annotations by their names without `mcp.litellm.ai/`.
    pub(crate) fn allowed(namespace: &str, annotations: &[(&str, &str)]) -> Self {
        let kubectl = environment().kubectl.clone();
        let annotations: Map<String, Value> = annotations
            .iter()
            .map(|(name, value)| (format!("mcp.litellm.ai/{name}"), Value::from(*value)))
            .collect();
        let metadata = json!({ "name": namespace, "labels": { "test": namespace }, "annotations": annotations });
        let manifest = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        kubectl.apply(&manifest.to_string()).unwrap();
        Self {
            kubectl,
            namespace: namespace.to_owned(),
        }
    }

    /// What all servers are judged again for, when it changes: the plugins, and the kinds that there are.
    pub(crate) fn plugins(&self) -> Result<String> {
        let kinds = "mcpplugins,customresourcedefinitions";
        let versions = "jsonpath={.items[*]['metadata.name', 'metadata.resourceVersion']}";
        self.kubectl.run(&["get", kinds, "--output", versions])
    }

    /// A server that passes all rules, as the user would write it. Without metrics: one test installs their API and removes
    /// it again, for all namespaces, and the others should not notice.
    pub(crate) fn server(&self, name: &str, spec: Value) -> Value {
        let mut server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": name, "namespace": self.namespace },
            "spec": {
                "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "transport": "http",
                "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } },
                "litellm": { "autoRegister": false }, "observability": { "metrics": { "enabled": false } },
            },
        });
        merge(&mut server["spec"], &spec);
        server
    }

    /// `kubectl apply`, as a user does it.
    pub(crate) fn apply(&self, manifest: &Value) -> Result<String> {
        self.kubectl
            .pipe(&["apply", "--filename", "-"], &manifest.to_string())
    }

    /// The error of an apply that must fail.
    pub(crate) fn refused(&self, manifest: &Value) -> String {
        self.apply(manifest)
            .err()
            .map_or_else(|| panic!("it was accepted"), |error| error.to_string())
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Result<Value> {
        self.kubectl
            .json(&["get", kind, name, "--namespace", &self.namespace])
    }

    /// Name of the one object of a kind that a server has: that of a ConfigMap follows from its content.
    pub(crate) fn object_name(&self, kind: &str, server: &str) -> Result<String> {
        if kind != "configmap" {
            return Ok(format!("mcp-{server}"));
        }
        self.kubectl.run(&[
            "get",
            "configmaps",
            "--namespace",
            &self.namespace,
            &format!("--selector=mcp.litellm.ai/server={server}"),
            "--output=jsonpath={.items[*].metadata.name}",
        ])
    }

    pub(crate) fn is_gone(&self, kind: &str, name: &str) -> Result<()> {
        let found = self.kubectl.run(&[
            "get",
            kind,
            name,
            "--namespace",
            &self.namespace,
            "--ignore-not-found",
            "--output=name",
        ])?;
        ensure!(found.is_empty(), "{found} is still there");
        Ok(())
    }

    /// Waits until a server has a condition with this status and reason, and gives the condition.
    pub(crate) fn condition(
        &self,
        server: &str,
        kind: &str,
        status: &str,
        reason: &str,
    ) -> Result<Value> {
        eventually(&format!("{kind} of {server}"), SOON, || {
            let server = self.get("mcpserver", server)?;
            let found = condition(&server, kind).with_context(|| format!("no {kind}"))?;
            ensure!(
                found["status"] == status && (reason.is_empty() || found["reason"] == reason),
                "{found}"
            );
            Ok(found.clone())
        })
    }

    /// Messages of the events with a reason.
    pub(crate) fn events(&self, reason: &str) -> Result<String> {
        self.kubectl.run(&[
            "get",
            "events.events.k8s.io",
            "--namespace",
            &self.namespace,
            "--field-selector",
            &format!("reason={reason}"),
            "--output=jsonpath={.items[*].note}",
        ])
    }

    /// Waits until a server's Deployment is complete.
    pub(crate) fn deployed(&self, server: &str) -> Result<Value> {
        self.condition(server, "DeploymentReady", "True", "")
    }

    /// `kubectl patch`, as somebody else does it.
    pub(crate) fn patch(&self, kind: &str, name: &str, patch: &Value) -> Result<String> {
        self.kubectl.run(&[
            "patch",
            kind,
            name,
            "--namespace",
            &self.namespace,
            "--patch",
            &patch.to_string(),
        ])
    }

    /// Has the operator look at a server in which nothing changes that matters: each time another annotation.
    pub(crate) fn recheck_at(&self, server: &str) -> Result<()> {
        static LOOKS: AtomicUsize = AtomicUsize::new(0);
        let look = format!("look={}", LOOKS.fetch_add(1, Ordering::Relaxed));
        let annotate = ["annotate", "mcpserver", server, "--overwrite", &look];
        let namespace = ["--namespace", &self.namespace];
        self.kubectl
            .run(&[&annotate[..], &namespace].concat())
            .map(drop)
    }

    /// The audit log from when the operator has nothing more to say about a server.
    pub(crate) fn audited(&self, server: &str) -> Result<AuditLog> {
        // It comes last, and later the more servers are new.
        eventually("the registry has spoken", SOON, || {
            let found = self.condition(server, "LiteLLMRegistered", "False", "")?;
            let generation = &self.get("mcpserver", server)?["metadata"]["generation"];
            ensure!(found["observedGeneration"] == *generation, "{found}");
            Ok(())
        })?;
        let mut audit = AuditLog::new(environment().audit.as_deref().context("no audit log")?);
        // All that came before does not matter.
        audit.requests()?;
        audit.settled(|request| self.is_here(request))?;
        Ok(audit)
    }

    fn is_here(&self, request: &Request) -> bool {
        let namespace = request.object.split('/').next();
        namespace == Some(&self.namespace)
    }

    /// Has the operator look at a server again, a few times, and gives what it wrote in this namespace.
    pub(crate) fn writes_when_asked_again(&self, server: &str) -> Result<Vec<Request>> {
        let mut audit = self.audited(server)?;
        for _ in 0..3 {
            self.recheck_at(server)?;
            sleep(Duration::from_secs(1));
        }
        self.writes(&mut audit)
    }

    /// What the operator wrote in this namespace since the last look.
    pub(crate) fn writes(&self, audit: &mut AuditLog) -> Result<Vec<Request>> {
        let mut requests = audit.requests()?;
        requests.retain(|request| request.is_write() && self.is_here(request));
        Ok(requests)
    }

    /// A plugin that is only for this namespace.
    pub(crate) fn plugin(&self, name: &str, spec: Value) -> Value {
        let mut plugin = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": name },
            "spec": { "match": { "namespaceSelector": { "matchLabels": { "test": self.namespace } } } },
        });
        merge(&mut plugin["spec"], &spec);
        plugin
    }

    /// Waits until a plugin's condition has this status and reason, and gives the plugin.
    pub(crate) fn plugin_is(&self, name: &str, status: &str, reason: &str) -> Result<Value> {
        eventually(&format!("plugin {name}"), SOON, || {
            let plugin = self.kubectl.json(&["get", "mcpplugin", name])?;
            let ready = condition(&plugin, "Ready").context("no condition")?;
            let is_of = plugin["status"]["observedGeneration"] == plugin["metadata"]["generation"];
            ensure!(
                is_of && ready["status"] == status && ready["reason"] == reason,
                "{ready}"
            );
            Ok(plugin)
        })
    }

    /// Puts a file into a ConfigMap, as `kubectl create configmap --from-file` does; replaces one that is there.
    /// A component, where code of plugins may come from.
    pub(crate) fn config_map(&self, name: &str, file: &std::path::Path) -> Result<()> {
        let from = format!("--from-file=plugin.wasm={}", file.display());
        let manifest = self.kubectl.run(&[
            "create",
            "configmap",
            name,
            "--namespace",
            OPERATOR,
            &from,
            "--dry-run=client",
            "--output=yaml",
        ])?;
        self.kubectl.apply(&manifest).map(drop)
    }
}

pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind)
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
