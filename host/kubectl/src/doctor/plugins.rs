//! The plugins: in force, and one of each kind that nothing works without.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use mcp_operator_api::names::conditions::{READY, REGISTRAR};
use mcp_operator_core::conditions::find;
use serde_json::Value;

use super::Finding;
use super::installation::{Found, Installation, labels, place};
use crate::causes::{conditions, is_unseen};
use crate::remedies::{meaning, remedy};

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let Some(plugins) = installation.list("MCPPlugin", "") else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = plugins.iter().filter_map(of_plugin).collect();
    findings.extend(kinds(plugins));
    let unenforced = plugins.iter().filter_map(|it| unenforced(it, installation));
    findings.extend(unenforced);
    findings.extend(
        plugins
            .iter()
            .flat_map(|plugin| connections(plugin, installation)),
    );
    findings.extend(unseen_servers(installation));
    findings
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn of_plugin(plugin: &Value) -> Option<Finding> {
    let at = place("MCPPlugin", "", name(plugin));
    let conditions = conditions(plugin);
    let Some(ready) = find(&conditions, READY) else {
        return Some(Finding::wrong(
            at,
            "nobody has looked at it",
            "the operator does not run, or no replica leads",
        ));
    };
    let generation = plugin["metadata"]["generation"].as_i64();
    let observed = plugin["status"]["observedGeneration"].as_i64();
    if observed < generation && observed.is_some() {
        return Some(Finding::doubtful(
            at,
            "its status is about an older specification",
            "it passes in seconds; if it does not, the operator does not run, or no replica leads",
        ));
    }
    if ready.status == "True" || ready.reason == "Standby" {
        return None;
    }
    let helps = remedy(READY, &ready.reason).or_else(|| meaning(&ready.reason));
    let helps = helps.unwrap_or_else(|| "kubectl describe mcpplugin".into());
    let what = format!("it is not in force ({}: {})", ready.reason, ready.message);
    Some(Finding::wrong(at, what, helps))
}

/// Without a validator nothing is refused, and without a registrar nothing is registered.
fn kinds(plugins: &[Value]) -> Vec<Finding> {
    let exported: BTreeSet<&str> = plugins
        .iter()
        .filter_map(|plugin| plugin["status"]["interfaces"].as_str())
        .flat_map(|interfaces| interfaces.split(','))
        .map(str::trim)
        .collect();
    let mut findings = Vec::new();
    if plugins.is_empty() || !exported.contains("validator") {
        findings.push(Finding::wrong("MCPPlugins", "none of them validates: every MCPServer is admitted", "kubectl apply --server-side -f deploy/base/plugins.yaml, or the values `plugins` of the chart"));
    }
    if !exported.contains("registrar") {
        findings.push(Finding::wrong(
            "MCPPlugins",
            "none of them registers: LiteLLM is told of no MCPServer",
            "apply litellm-configmap or litellm-admin-api (deploy/LITELLM.md)",
        ));
        return findings;
    }
    if active_registrar(plugins).is_none() {
        let mut waiting = plugins.iter().filter_map(|plugin| {
            let conditions = conditions(plugin);
            let condition = find(&conditions, REGISTRAR)?;
            (condition.status == "Unknown").then(|| {
                let what = format!("it does not register yet: {}", condition.message);
                (place("MCPPlugin", "", name(plugin)), what)
            })
        });
        let (at, what) = waiting.next().unwrap_or_else(|| {
            let what = "nothing is registered: no registrar has begun to";
            ("MCPPlugins".into(), what.into())
        });
        findings.push(Finding::wrong(
            at,
            what,
            "what it waits for stands in its condition Registrar: kubectl describe mcpplugins",
        ));
    }
    findings
}

/// A validator whose rules refuse nothing, as far as that is seen without asking it.
fn unenforced(plugin: &Value, installation: &Installation) -> Option<Finding> {
    let interfaces = plugin["status"]["interfaces"].as_str()?;
    if !interfaces.split(',').any(|it| it.trim() == "validator") {
        return None;
    }
    let at = place("MCPPlugin", "", name(plugin));
    let spec = &plugin["spec"];
    if let Some(mode) = spec["mode"].as_str().filter(|mode| *mode != "enforce") {
        return Some(Finding::doubtful(
            at,
            format!("its mode is {mode}: what breaks its rules is stored"),
            "mode: enforce, when `kubectl get mcpplugins` shows that no server breaks them",
        ));
    }
    let selector = spec["match"]["namespaceSelector"].clone();
    let selector: LabelSelector = serde_json::from_value(selector).ok()?;
    let selector = Selector::try_from(selector).ok()?;
    let namespaces = installation.list("Namespace", "")?;
    let is_for_none = !namespaces.is_empty()
        && !namespaces
            .iter()
            .any(|namespace| selector.matches(&labels(namespace)));
    is_for_none.then(|| {
        Finding::doubtful(
            at,
            "its match.namespaceSelector is for none of the namespaces: it judges nothing",
            "correct it, or the labels of the namespaces",
        )
    })
}

/// The plugin that registers now.
pub(super) fn active_registrar(plugins: &[Value]) -> Option<&Value> {
    plugins.iter().find(|plugin| {
        let conditions = conditions(plugin);
        find(&conditions, REGISTRAR).is_some_and(|it| it.status == "True")
    })
}

/// Secrets of the connections of a plugin, with the keys that they have to have.
pub(super) fn secret_keys(plugin: &Value) -> impl Iterator<Item = (&str, &str)> {
    let connections = plugin["spec"]["connections"]
        .as_array()
        .into_iter()
        .flatten();
    connections.filter_map(|connection| {
        let reference = &connection["auth"]["secretKeyRef"];
        Some((reference["name"].as_str()?, reference["key"].as_str()?))
    })
}

fn connections(plugin: &Value, installation: &Installation) -> Vec<Finding> {
    let namespace = &installation.namespace;
    let complaint = |(secret, key): (&str, &str)| {
        let what = match installation.object("Secret", namespace, secret) {
            Found::Missing => "it is not there".to_owned(),
            Found::There(found) if found["data"][key].is_null() => format!("it has no key {key}"),
            Found::Unread | Found::There(_) => return None,
        };
        Some(Finding::wrong(
            place("Secret", namespace, secret),
            format!(
                "{what}: the connection of the MCPPlugin {} has no credential",
                name(plugin)
            ),
            format!(
                "kubectl create secret generic {secret} --namespace {namespace} --from-file={key}"
            ),
        ))
    };
    secret_keys(plugin).filter_map(complaint).collect()
}

/// Servers that the operator has never looked at, though it had time.
fn unseen_servers(installation: &Installation) -> Option<Finding> {
    let servers = installation.list("MCPServer", "")?;
    let is_old = |server: &Value| {
        let created = server["metadata"]["creationTimestamp"].as_str();
        let created = created.and_then(|created| created.parse().ok());
        created.is_some_and(|created| installation.time().duration_since(created).as_secs() > 300)
    };
    let unseen: Vec<&Value> = servers
        .iter()
        .filter(|server| is_unseen(server) && is_old(server))
        .collect();
    let first = unseen.first()?;
    let namespace = first["metadata"]["namespace"].as_str().unwrap_or_default();
    Some(Finding::wrong(
        place("MCPServer", namespace, name(first)),
        format!(
            "the operator has not looked at it for five minutes, nor at {} others",
            unseen.len() - 1
        ),
        "the log of the replica that leads; permissions in that namespace (watchNamespaces of the chart)",
    ))
}
