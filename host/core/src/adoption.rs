//! Adoption: objects that somebody has made by hand become those of an MCPServer, and their pods go on.
//!
//! Whoever may write an object offers it, by all labels of the server's objects and by an annotation with the server's name: who
//! may write MCPServers alone can take nothing. It is then taken as one that lost its owner is ([`owner_reference`]), and what
//! others hold of it becomes ours, so that what the MCPServer does not say goes. Two things cannot be as the operator makes
//! them: the selector of a Deployment never changes, and another pod template makes new pods. So the selector stays for good,
//! and everything that selects pods follows it; and the template stays until the operator wants another one than it wanted when
//! the Deployment was adopted, somebody else changes it, or the annotation is taken away. Then it is an ordinary rollout.
//!
//! Nobody edits the template of a ReplicaSet so that it seems to be the operator's while pods are others: what a Deployment
//! says of its pods would not be true.
//!
//! [`owner_reference`]: crate::owner_reference

mod field_ownership;
mod refusal;
mod template;

use kube::ResourceExt;
use mcp_operator_api::names::annotations::{ADOPT, ADOPTED_TEMPLATE, SECRET_HASH};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::manifest::{ManagedKind, Manifest, Mutated, Objects};
use crate::rollout::Rollout;
use crate::ssa_diff;

pub use field_ownership::held_by;
pub use refusal::refusal;
use template::differences;

/// [`ADOPTED_TEMPLATE`] while pods of the adopted template may be left.
const REPLACING: &str = "replacing";
/// [`ADOPTED_TEMPLATE`] when none is: what was adopted is not kept once more.
const REPLACED: &str = "replaced";

/// Whether somebody who may write an object wants it to be taken over by the server of this name.
pub fn is_offered(object: &impl ResourceExt, server: &str) -> bool {
    object
        .annotations()
        .get(ADOPT)
        .is_some_and(|to| to == server)
}

/// What an adopted Deployment means for the objects of its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// Its pods are kept. They differ from what the server says in these fields of the template.
    Kept(Vec<String>),
    /// Pods of the adopted template are being replaced.
    Replacing,
}

/// Makes the objects such that an adopted Deployment, `live`, can take them. Nothing: it was never adopted, or that is over.
pub fn keep(objects: &mut Objects<Mutated>, live: &Value, server: &str) -> Option<Adoption> {
    keep_selector(objects, live);
    let offered = live["metadata"]["annotations"][ADOPT] == server;
    let state = live["metadata"]["annotations"][ADOPTED_TEMPLATE].as_str();
    if !offered && state.is_none() {
        return None;
    }
    let deployment = objects.of_kind_mut(ManagedKind::Deployment).next()?;
    let wanted = &mut deployment.object["spec"]["template"];
    let mut adopted = live["spec"]["template"].clone();
    ssa_diff::without_nulls(&mut adopted);
    let digest = format!("{}.{}", digest(wanted), digest(&adopted));
    if offered && state.is_none_or(|state| state == digest) {
        let differences = differences(wanted, &adopted);
        let ports = port_names(&adopted);
        *wanted = adopted;
        note(deployment, &digest);
        number_ports(objects, |name| !ports.iter().any(|port| port == name));
        return Some(Adoption::Kept(differences));
    }
    let is_over = match state {
        Some(REPLACED) => true,
        Some(REPLACING) => Rollout::of(live).complete(),
        _ => false,
    };
    if is_over {
        if offered {
            note(deployment, REPLACED);
        }
        return None;
    }
    note(deployment, REPLACING);
    // A name may be another port, or none, in the pods that were adopted.
    number_ports(objects, |_| true);
    Some(Adoption::Replacing)
}

/// Where the live Deployment selects its pods by other labels, all objects do, and the pods have both.
fn keep_selector(objects: &mut Objects<Mutated>, live: &Value) {
    let selector = &live["spec"]["selector"];
    let Some(theirs) = selector["matchLabels"].as_object() else {
        return;
    };
    let Some(deployment) = objects.of_kind_mut(ManagedKind::Deployment).next() else {
        return;
    };
    let ours = deployment.object["spec"]["selector"]["matchLabels"].clone();
    if ours.as_object() == Some(theirs) || !selector["matchExpressions"].is_null() {
        return;
    }
    for kind in [
        ManagedKind::Service,
        ManagedKind::PodDisruptionBudget,
        ManagedKind::NetworkPolicy,
        ManagedKind::Deployment,
    ] {
        for manifest in objects.of_kind_mut(kind) {
            select(&mut manifest.object["spec"], &ours, theirs);
            if kind == ManagedKind::Deployment
                && let Some(labels) =
                    manifest.object["spec"]["template"]["metadata"]["labels"].as_object_mut()
            {
                labels.extend(theirs.clone());
            }
        }
    }
}

/// Puts one selector in the place of another, wherever it is.
fn select(value: &mut Value, ours: &Value, theirs: &Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if ["matchLabels", "selector"].contains(&name.as_str()) && member == ours {
                    *member = theirs.clone().into();
                } else {
                    select(member, ours, theirs);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| select(item, ours, theirs)),
        _ => {}
    }
}

fn note(deployment: &mut Manifest, state: &str) {
    deployment.object["metadata"]["annotations"][ADOPTED_TEMPLATE] = state.into();
}

/// Without what tells that a Secret has changed: that replaces pods, and no template.
fn digest(template: &Value) -> String {
    let mut template = template.clone();
    if let Some(metadata) = template["metadata"].as_object_mut() {
        let annotations = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut);
        if let Some(annotations) = annotations {
            annotations.remove(SECRET_HASH);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    hex::encode(&Sha256::digest(template.to_string())[..8])
}

fn port_names(template: &Value) -> Vec<String> {
    let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let containers = items(&template["spec"]["containers"]).into_iter();
    containers
        .flat_map(|container| items(&container["ports"]))
        .filter_map(|port| port["name"].as_str().map(str::to_owned))
        .collect()
}

/// Has the Service send to ports by their numbers, which are its own, where `unknown` says so of the name.
fn number_ports(objects: &mut Objects<Mutated>, unknown: impl Fn(&str) -> bool) {
    for service in objects.of_kind_mut(ManagedKind::Service) {
        let ports = service.object["spec"]["ports"].as_array_mut();
        for port in ports.into_iter().flatten() {
            if port["targetPort"].as_str().is_some_and(&unknown) {
                port["targetPort"] = json!(port["port"]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
