//! Faults of what is stored, and of who may do what.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_chaos::{Fault, Kind};
use mcp_cluster::Kubectl;
use mcp_e2e::{Environment, OwnCluster, eventually, install_definitions, padded};
use serde_json::{Value, json};

use crate::users::{PATIENCE, Users};
use crate::world::OPERATOR;

/// Objects of a storm.
const MANY: usize = 60;
/// The definition of MCPServers.
const DEFINITION: &str = "mcpservers.mcp.litellm.ai";
/// The ClusterRole with what the operator makes of MCPServers.
const ROLE: &str = "mcp-operator-tenant";
/// A rule of the platform's, which is replaced again and again.
const RULE: &str = "version";
/// What a hostile plugin does when it is asked.
const HOSTILE: [&str; 6] = ["loop", "panic", "memory-bomb", "exit", "recurse", "sleep"];

pub(crate) struct ObjectFaults {
    kubectl: Kubectl,
    /// A component that can be a good rule and a hostile one.
    component: Vec<u8>,
}

impl ObjectFaults {
    /// With the rule in force.
    pub(crate) fn start(environment: &Environment) -> Result<Self> {
        let file = environment
            .artifacts
            .fixtures
            .join("mcp_plugin_fixture.wasm");
        let component = fs::read(&file).with_context(|| format!("no {}", file.display()))?;
        let kubectl = environment.kubectl.clone();
        let faults = Self { kubectl, component };
        faults.put_component(0)?;
        faults.apply(&plugin(
            RULE,
            &json!({
                "source": { "configMap": { "namespace": OPERATOR, "name": RULE } },
                // It has nothing to say: what counts is that it is asked, by one version or the other.
                "settings": { "version": "1" },
            }),
        ))?;
        faults.in_force(RULE)?;
        Ok(faults)
    }

    pub(crate) fn suffer(&self, fault: &Fault, users: &Users) -> Result<()> {
        let lasts = Duration::from_millis(fault.lasts);
        match fault.kind {
            Kind::SecretStorm => self.storm("Secret", "stringData", lasts),
            Kind::ConfigMapStorm => self.storm("ConfigMap", "data", lasts),
            Kind::PluginSwap => {
                self.put_component(u8::try_from(fault.variant % 5 + 1)?)?;
                self.in_force(RULE)
            }
            Kind::HostilePlugin => self.hostile(fault.variant, lasts),
            Kind::DefinitionGone => self.without_definition(lasts, users),
            Kind::PermissionTaken => self.without_permission(fault.variant, lasts),
            other => bail!("{other:?} is none of stored objects"),
        }
    }

    fn apply(&self, object: &Value) -> Result<()> {
        let object = object.to_string();
        eventually("it is applied", PATIENCE, || self.kubectl.apply(&object)).map(drop)
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        eventually(&arguments.join(" "), PATIENCE, || {
            self.kubectl.run(arguments)
        })
        .map(drop)
    }

    /// Objects that come, change and go at once, and look like the operator's.
    fn storm(&self, kind: &str, content: &str, lasts: Duration) -> Result<()> {
        let object = |index: usize, value: usize| {
            json!({
                "apiVersion": "v1", "kind": kind,
                "metadata": {
                    "name": format!("storm-{index}"), "namespace": OwnCluster::NAMESPACE,
                    "labels": {
                        "storm": "yes", "app.kubernetes.io/managed-by": "mcp-operator", "mcp.litellm.ai/server": format!("s-{}", index % 8),
                    },
                },
                content: { "value": value.to_string() },
            })
        };
        for value in 0..2 {
            let items: Vec<Value> = (0..MANY).map(|index| object(index, value)).collect();
            self.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }))?;
        }
        sleep(lasts);
        let kind = kind.to_lowercase();
        self.run(&[
            "delete",
            &kind,
            "--namespace",
            OwnCluster::NAMESPACE,
            "--selector=storm=yes",
            "--wait=false",
        ])
    }

    /// The same component with another digest: a custom section says nothing.
    fn put_component(&self, padding: u8) -> Result<()> {
        let component = padded(self.component.clone(), padding);
        self.apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": RULE, "namespace": OPERATOR },
            "binaryData": { "plugin.wasm": STANDARD.encode(component) },
        }))
    }

    /// Waits until the cluster says that a plugin is in force, as it is now.
    fn in_force(&self, name: &str) -> Result<()> {
        eventually(&format!("{name} is in force"), PATIENCE, || {
            let plugin = self.kubectl.json(&["get", "mcpplugin", name])?;
            let status = &plugin["status"];
            ensure!(
                status["conditions"][0]["status"] == "True"
                    && status["observedGeneration"] == plugin["metadata"]["generation"],
                "{status}"
            );
            Ok(())
        })
    }

    /// It is tried first, as a plugin is that nobody knows yet: with `enforce`, whoever applies it has it refuse what it cannot
    /// judge, which would be nobody else's fault.
    fn hostile(&self, variant: u64, lasts: Duration) -> Result<()> {
        let behaviour = HOSTILE[usize::try_from(variant)? % HOSTILE.len()];
        self.apply(&plugin(
            "hostile",
            &json!({
                "source": { "configMap": { "namespace": OPERATOR, "name": RULE } },
                "settings": { "validate": behaviour },
                "mode": "warn",
            }),
        ))?;
        sleep(lasts);
        self.run(&["delete", "mcpplugin", "hostile", "--ignore-not-found"])
    }

    fn without_definition(&self, lasts: Duration, users: &Users) -> Result<()> {
        self.run(&["delete", "crd", DEFINITION, "--ignore-not-found"])?;
        sleep(lasts);
        eventually("the definition is back", PATIENCE, || {
            install_definitions(&self.kubectl)
        })?;
        eventually("users apply theirs again", PATIENCE, || users.apply_again())
    }

    /// One rule of the role is missing for a while.
    fn without_permission(&self, variant: u64, lasts: Duration) -> Result<()> {
        let role = eventually("the role is read", PATIENCE, || {
            self.kubectl.json(&["get", "clusterrole", ROLE])
        })?;
        let all = role["rules"].as_array().context("no rules")?;
        let mut fewer = all.clone();
        fewer.remove(usize::try_from(variant)? % all.len());
        self.grant(&Value::from(fewer))?;
        sleep(lasts);
        self.grant(&role["rules"])
    }

    fn grant(&self, rules: &Value) -> Result<()> {
        let patch = json!({ "rules": rules }).to_string();
        self.run(&[
            "patch",
            "clusterrole",
            ROLE,
            "--type=merge",
            "--patch",
            &patch,
        ])
    }
}

fn plugin(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPPlugin", "metadata": { "name": name }, "spec": spec })
}
