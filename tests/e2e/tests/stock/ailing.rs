//! What ails a server is told with the field that ends it; and with that field, it runs.

use anyhow::{Result, ensure};
use mcp_cluster::Kubectl;
use mcp_e2e::{Environment, eventually};
use serde_json::{Value, json};

use crate::SOON;

/// A server that does not become ready, what is said of it, and what it needs in addition, if a field can help.
struct Ailing {
    name: &'static str,
    image: &'static str,
    spec: Value,
    told: &'static str,
    cure: Option<Value>,
}

impl Ailing {
    fn manifest(&self, changes: &[&Value]) -> String {
        let mut server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": self.name, "namespace": "ailing" },
            "spec": {
                "image": { "repository": format!("docker.io/local/{}", self.image), "tag": "1.0.0" }, "replicas": 1,
                "transport": "http", "litellm": { "autoRegister": false },
                "resources": { "requests": { "cpu": "10m", "memory": "64Mi" }, "limits": { "cpu": "1", "memory": "256Mi" } },
            },
        });
        for change in changes {
            for (member, value) in change.as_object().unwrap() {
                server["spec"][member] = value.clone();
            }
        }
        server.to_string()
    }

    /// Waits until `Ready` has this status and these words.
    fn says(&self, kubectl: &Kubectl, status: &str, words: &str) -> Result<()> {
        eventually(&format!("{}: {words}", self.name), SOON, || {
            let server = kubectl.json(&["get", "mcpserver", self.name, "--namespace=ailing"])?;
            let conditions = server["status"]["conditions"].as_array().cloned();
            let conditions = conditions.unwrap_or_default();
            let told = conditions.iter().any(|condition| {
                let message = condition["message"].as_str().unwrap_or_default();
                condition["type"] == "Ready"
                    && condition["status"] == status
                    && message.contains(words)
            });
            ensure!(told, "{conditions:?}");
            Ok(())
        })
    }
}

fn readiness(probe: &Value) -> Value {
    json!({ "observability": { "metrics": { "enabled": false }, "healthProbes": { "readiness": probe } } })
}

fn ailing() -> Vec<Ailing> {
    let mut hosts = readiness(&json!({ "path": "/health" }));
    hosts["env"] =
        json!([{ "name": "ALLOWED_HOSTS", "value": "mcp-host.ailing.svc.cluster.local:8080" }]);
    let localhost = json!([{ "name": "Host", "value": "localhost" }]);
    vec![
        Ailing {
            name: "path",
            image: "mcp-fastmcp2",
            spec: readiness(&json!({ "path": "/ready" })),
            told: "status 404: set spec.observability.healthProbes.readiness.path",
            cure: Some(readiness(&json!({}))),
        },
        Ailing {
            name: "host",
            image: "mcp-fastmcp",
            spec: hosts,
            told: "status 421, as by a server that does not know the name it is called by: set spec.observability.healthProbes.readiness.headers",
            cure: Some(readiness(
                &json!({ "path": "/health", "headers": localhost }),
            )),
        },
        Ailing {
            name: "user",
            image: "mcp-everything",
            spec: json!({ "port": 3001 }),
            told: "set spec.securityContext.runAsUser to the number of that user",
            cure: Some(json!({ "securityContext": { "runAsUser": 1000 } })),
        },
        Ailing {
            name: "home",
            image: "mcp-fastmcp",
            spec: json!({ "env": [{ "name": "KEEPS_NOTES", "value": "yes" }, { "name": "HOME", "value": "/home/mcp" }] }),
            told: "name the folder that it writes to in spec.emptyDirs",
            cure: Some(json!({ "emptyDirs": [{ "mountPath": "/home/mcp" }] })),
        },
        Ailing {
            name: "port",
            image: "mcp-fastmcp2",
            spec: json!({ "port": 9999 }),
            told: "finds nobody listening: the server must listen on the port of spec.port",
            cure: None,
        },
    ]
}

#[test]
fn what_ails_a_server_is_told_with_the_field_that_ends_it() -> Result<()> {
    let environment = Environment::open()?;
    let kubectl = &environment.kubectl;
    kubectl.run(&["create", "namespace", "ailing"])?;
    let servers = ailing();
    for server in &servers {
        kubectl.apply(&server.manifest(&[&server.spec]))?;
    }
    for server in &servers {
        server.says(kubectl, "False", server.told)?;
    }
    let cures = || {
        servers
            .iter()
            .filter_map(|server| Some((server, server.cure.as_ref()?)))
    };
    for (server, cure) in cures() {
        kubectl.apply(&server.manifest(&[&server.spec, cure]))?;
    }
    for (server, _) in cures() {
        server.says(kubectl, "True", "")?;
    }
    kubectl.run(&["delete", "namespace", "ailing"]).map(drop)
}
