//! Servers that are made at the same time.

use serde_json::{Value, json};

/// More are spread over several namespaces: for each pod, the cluster's own controllers go through all budgets and Services
/// of its namespace, which soon is most of what is measured.
pub(crate) const IN_ONE_NAMESPACE: usize = 1000;

/// What the pods of all servers read; most namespaces have none.
pub(crate) const SECRET: &str = "token";

/// Servers that are made at the same time.
pub(crate) struct Batch {
    /// So many that none has more than [`IN_ONE_NAMESPACE`] servers.
    pub(crate) namespaces: Vec<String>,
    /// Of servers.
    pub(crate) count: usize,
}

impl Batch {
    /// Namespace and name of each server.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&str, String)> {
        (0..self.count).map(|index| {
            let namespace = &self.namespaces[index / IN_ONE_NAMESPACE];
            (&**namespace, format!("s-{}", index % IN_ONE_NAMESPACE))
        })
    }

    /// Namespaces, and how many servers each has.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, usize)> {
        self.namespaces
            .iter()
            .enumerate()
            .map(|(index, namespace)| {
                let before = index * IN_ONE_NAMESPACE;
                (&**namespace, (self.count - before).min(IN_ONE_NAMESPACE))
            })
    }
}

/// A server as users write it. Not registered: LiteLLM is not what is measured.
pub(crate) fn server(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
            "config": { "logLevel": "info" },
            "env": [{
                "name": "TOKEN",
                "valueFrom": { "secretKeyRef": { "name": SECRET, "key": "token", "optional": true } },
            }],
            // Small: all of them must fit on the simulated node.
            "resources": { "limits": { "cpu": "10m", "memory": "64Mi" } },
            "litellm": { "autoRegister": false },
        },
    })
}
