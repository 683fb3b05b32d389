//! What a role permits, a server that needs all of it, and who tells what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use mcp_cluster::{Definitions, Kubectl};
use mcp_e2e::{eventually, install_definition, operator_kubeconfig};
use serde_json::{Value, json};

use crate::world::{RECOVERY, World};

/// One verb of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Permission {
    pub(super) resource: String,
    pub(super) verb: String,
}

impl Permission {
    /// As the API server words it, where it is missing.
    pub(super) fn refusal(&self) -> String {
        let Self { resource, verb } = self;
        format!("cannot {verb} resource \"{resource}\"")
    }

    /// A namespace for it.
    pub(super) fn namespace(&self) -> String {
        format!("no-{}-{}", self.verb, self.resource)
    }
}

pub(super) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// All that a role permits.
pub(super) fn permissions(rules: &Value) -> Vec<Permission> {
    let rules = rules.as_array().into_iter().flatten();
    let each = rules.flat_map(|rule| {
        texts(&rule["resources"]).flat_map(|resource| {
            texts(&rule["verbs"]).map(|verb| Permission {
                resource: resource.to_owned(),
                verb: verb.to_owned(),
            })
        })
    });
    each.collect()
}

/// The rules without these permissions.
pub(super) fn without(rules: &Value, is_taken: impl Fn(&Permission) -> bool) -> Value {
    let rules = rules.as_array().into_iter().flatten();
    let single = rules.flat_map(|rule| {
        let each = permissions(&json!([rule])).into_iter();
        let kept = each.filter(|permission| !is_taken(permission));
        let single = kept.map(|Permission { resource, verb }| {
            let mut rule = rule.clone();
            rule["resources"] = json!([resource]);
            rule["verbs"] = json!([verb]);
            rule
        });
        single.collect::<Vec<_>>()
    });
    single.collect()
}

pub(super) fn rules(kubectl: &Kubectl, role: &str) -> Result<Value> {
    Ok(kubectl.json(&["get", "clusterrole", role])?["rules"].clone())
}

pub(super) fn grant(kubectl: &Kubectl, role: &str, rules: &Value) -> Result<()> {
    let patch = json!({ "rules": rules }).to_string();
    let kind = ["patch", "clusterrole", role, "--type=merge", "--patch"];
    kubectl.run(&[&kind[..], &[&patch]].concat()).map(drop)
}

/// All optional APIs, and no ServiceMonitors elsewhere.
pub(super) fn install_optional(kubectl: &Kubectl) -> Result<()> {
    let definitions = Definitions::fetch()?;
    install_definition(kubectl, &definitions.external_secrets)?;
    install_definition(kubectl, &definitions.service_monitors)?;
    install_definition(kubectl, &definitions.reports)
}

/// A server that becomes an object of every kind, or of those that every server has.
pub(super) fn server(namespace: &str, name: &str, everything: bool) -> Value {
    let mut server = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "image": { "repository": "docker.io/local/mcp-weather", "tag": "1.0.0" },
            "resources": { "requests": { "cpu": "1m", "memory": "1Mi" }, "limits": { "cpu": "500m", "memory": "64Mi" } },
            "litellm": { "autoRegister": false }, "networkPolicy": { "enabled": everything },
            "podDisruptionBudget": { "enabled": everything }, "observability": { "metrics": { "enabled": everything } },
        },
    });
    if everything {
        let key = format!("{namespace}/token");
        server["spec"]["config"] = json!({ "a": 1 });
        server["spec"]["secrets"] =
            json!([{ "name": "token", "awsSecretKey": key, "optional": true }]);
        server["spec"]["autoscaling"] = json!({ "minReplicas": 2, "maxReplicas": 3 });
    }
    server
}

/// All that the conditions of a server say.
pub(super) fn said(kubectl: &Kubectl, namespace: &str, name: &str) -> Result<String> {
    kubectl.run(&[
        "get",
        "mcpserver",
        name,
        "--namespace",
        namespace,
        "--output=jsonpath={.status.conditions[*].message}",
    ])
}

pub(super) fn names(kubectl: &Kubectl, namespace: &str, server: &str, refusal: &str) -> Result<()> {
    eventually(&format!("{server} of {namespace}"), RECOVERY, || {
        let said = said(kubectl, namespace, server)?;
        ensure!(said.contains(refusal), "{refusal}: {said}");
        Ok(())
    })
}

pub(super) fn apply(kubectl: &Kubectl, objects: &[Value]) -> Result<()> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    kubectl.apply(&list.to_string()).map(drop)
}

/// A process of which only the log is looked at: it need not become ready.
pub(super) struct Logging {
    process: Child,
    log: PathBuf,
}

impl Logging {
    pub(super) fn start(world: &World, name: &str) -> Result<Self> {
        let environment = &world.own.environment;
        let kubectl = world.kubectl();
        let config = operator_kubeconfig(kubectl, kubectl.kubeconfig(), &environment.logs)?;
        let log = environment.logs.join(format!("operator-{name}.log"));
        let output = fs::File::create(&log)?;
        let process = Command::new(&environment.artifacts.operator)
            .arg("run")
            .arg("--builtin-plugins")
            .arg(&environment.artifacts.plugins)
            .arg("--cache-dir")
            .arg(environment.logs.join("components"))
            .args(["--webhook-bind", "127.0.0.1:0"])
            .args([
                "--health-bind",
                "127.0.0.1:0",
                "--metrics-bind-address",
                "0",
            ])
            .env("KUBECONFIG", &config)
            .stdout(output.try_clone()?)
            .stderr(Stdio::from(output))
            .spawn()
            .context("cannot run the operator")?;
        Ok(Self { process, log })
    }

    pub(super) fn says(&self, permission: &Permission) -> Result<()> {
        says(&self.log, permission)
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn says(log: &Path, permission: &Permission) -> Result<()> {
    eventually(
        &format!("{permission:?} in {}", log.display()),
        RECOVERY,
        || {
            // Quotes are escaped where a message is quoted itself.
            let log = fs::read_to_string(log)?.replace('\\', "");
            ensure!(log.contains(&permission.refusal()), "nothing yet");
            Ok(())
        },
    )
}

pub(super) fn chosen(all: &Value, is_taken: impl Fn(&Permission) -> bool) -> Vec<Permission> {
    permissions(all).into_iter().filter(is_taken).collect()
}
