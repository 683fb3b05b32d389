//! A control plane with a simulated LiteLLM.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcp_cluster::Kubectl;
use mcp_e2e::{OwnCluster, eventually};
use serde_json::{Value, json};

/// Several rollouts of simulated pods, on a machine that may be busy.
pub(crate) const SOON: Duration = Duration::from_mins(2);
/// Namespace of the MCPServers.
pub(crate) const NAMESPACE: &str = OwnCluster::NAMESPACE;

/// An operator that asks LiteLLM every second how things stand.
pub(crate) const ATTENTIVE: [&str; 6] = [
    "--registry-debounce-milliseconds",
    "200",
    "--registry-arrival-seconds",
    "1",
    "--registry-resync-seconds",
    "1",
];

/// A control plane of a test's own.
pub(crate) struct World {
    pub(crate) own: OwnCluster,
}

impl World {
    /// Starts one, with everything installed but without an operator.
    pub(crate) fn start(name: &str) -> Result<Self> {
        let own = OwnCluster::start(name, &[])?;
        own.kubectl().apply(&litellm().to_string())?;
        Ok(Self { own })
    }

    pub(crate) fn kubectl(&self) -> &Kubectl {
        self.own.kubectl()
    }

    /// Applies servers of these names.
    pub(crate) fn apply_servers(&self, names: &[String]) -> Result<()> {
        let items: Vec<Value> = names.iter().map(|name| server(name)).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        self.kubectl().apply(&list.to_string()).map(drop)
    }

    /// Applies an MCPPlugin.
    pub(crate) fn apply_plugin(&self, name: &str, spec: &Value) -> Result<()> {
        let plugin = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": name }, "spec": spec,
        });
        self.kubectl().apply(&plugin.to_string()).map(drop)
    }

    /// Changes an MCPPlugin's specification, as `kubectl patch` does.
    pub(crate) fn change_plugin(&self, name: &str, spec: &Value) -> Result<()> {
        let patch = json!({ "spec": spec }).to_string();
        let kind = ["patch", "mcpplugin", name, "--type=merge", "--patch"];
        self.kubectl()
            .run(&[&kind[..], &[patch.as_str()]].concat())
            .map(drop)
    }

    /// Says which ConfigMaps and Deployments of a namespace the operator may write to, as the platform does.
    pub(crate) fn allow_gateway(&self, namespace: &str, names: &str) -> Result<()> {
        let names = format!("mcp.litellm.ai/gateway={names}");
        let annotate = ["annotate", "namespace", namespace, &names];
        self.kubectl().run(&annotate).map(drop)
    }

    /// The registrar of somebody's own, in a ConfigMap; its source and settings.
    pub(crate) fn own_registrar(&self) -> Result<Value> {
        let file = self
            .own
            .environment
            .artifacts
            .plugins
            .join("plain_list.wasm");
        let from = format!("--from-file=plugin.wasm={}", file.display());
        self.kubectl().run(&[
            "create",
            "configmap",
            "plain-list",
            "--namespace=mcp-operator-system",
            &from,
        ])?;
        self.allow_gateway(NAMESPACE, "gateway")?;
        let list =
            json!({ "namespace": NAMESPACE, "name": "gateway", "writeKeys": ["servers.json"] });
        Ok(json!({
            "source": { "configMap": { "namespace": "mcp-operator-system", "name": "plain-list" } },
            "settings": { "namespace": NAMESPACE, "name": "gateway" },
            "grants": { "configMaps": [list] },
        }))
    }

    /// Content of a ConfigMap's key; empty if there is none.
    pub(crate) fn key(&self, namespace: &str, map: &str, key: &str) -> Result<String> {
        let map = self
            .kubectl()
            .json(&["get", "configmap", map, "--namespace", namespace])?;
        Ok(map["data"][key].as_str().unwrap_or_default().to_owned())
    }

    /// What LiteLLM would include.
    pub(crate) fn file(&self) -> Result<String> {
        self.key("litellm", "litellm-mcp-servers", "mcp_servers.yaml")
    }

    /// Changes whenever LiteLLM is rolled.
    pub(crate) fn rollouts(&self) -> Result<i64> {
        let deployment = ["get", "deployment", "litellm-proxy", "--namespace=litellm"];
        let found = self.kubectl().json(&deployment)?;
        Ok(found["metadata"]["generation"].as_i64().unwrap_or_default())
    }

    /// Makes the only pod of a server serve or not, as a kubelet would tell it.
    pub(crate) fn set_serving(&self, server: &str, serves: bool) -> Result<()> {
        let selector = format!("--selector=mcp.litellm.ai/server={server}");
        let pod = eventually(&format!("{server} has a pod"), SOON, || {
            let pods =
                self.kubectl()
                    .json(&["get", "pods", "--namespace", NAMESPACE, &selector])?;
            let name = pods["items"][0]["metadata"]["name"].as_str();
            name.map(str::to_owned).context("no pod")
        })?;
        let status = if serves { "True" } else { "False" };
        let patch = json!({ "status": { "conditions": [{ "type": "Ready", "status": status }] } });
        self.kubectl()
            .run(&[
                "patch",
                "pod",
                &pod,
                "--namespace",
                NAMESPACE,
                "--subresource=status",
                "--type=strategic",
                "--patch",
                &patch.to_string(),
            ])
            .map(drop)
    }

    /// Waits until a condition of a server is this.
    pub(crate) fn is(&self, server: &str, kind: &str, status: &str, reason: &str) -> Result<()> {
        eventually(&format!("{server} is {reason}"), SOON, || {
            let found =
                self.kubectl()
                    .json(&["get", "mcpserver", server, "--namespace", NAMESPACE])?;
            let condition = condition(&found, kind);
            ensure!(
                condition["status"] == status && condition["reason"] == reason,
                "{}",
                found["status"]
            );
            Ok(())
        })
    }

    /// Waits until `LiteLLMRegistered` of a server is True for this reason.
    pub(crate) fn registered(&self, server: &str, reason: &str) -> Result<()> {
        self.is(server, "LiteLLMRegistered", "True", reason)
    }

    /// Waits until an MCPPlugin says this about itself as a registrar, and returns the message.
    pub(crate) fn registrar_is(&self, plugin: &str, status: &str, reason: &str) -> Result<String> {
        eventually(&format!("{plugin} is {reason}"), SOON, || {
            let found = self.kubectl().json(&["get", "mcpplugin", plugin])?;
            let condition = condition(&found, "Registrar");
            ensure!(
                condition["status"] == status && condition["reason"] == reason,
                "{}",
                found["status"]
            );
            Ok(condition["message"].as_str().unwrap_or_default().to_owned())
        })
    }
}

/// A condition of an object; null if it has none.
pub(crate) fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let found = conditions
        .into_iter()
        .find(|condition| condition["type"] == kind);
    found.unwrap_or_default()
}

fn server(name: &str) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" }, "replicas": 1,
            "resources": { "requests": { "cpu": "1m", "memory": "1Mi" }, "limits": { "cpu": "500m", "memory": "64Mi" } },
        },
    })
}

fn litellm() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "litellm-proxy", "namespace": "litellm" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "litellm" } },
            "template": { "metadata": { "labels": { "app": "litellm" } }, "spec": { "containers": [{ "name": "a", "image": "a" }] } },
        },
    })
}
