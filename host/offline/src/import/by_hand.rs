//! The manifests that somebody writes by hand for each server: a Deployment, and what belongs to it.
//!
//! What becomes of them is what the operator can adopt ([`adopting`]), so the MCPServer has to say what they say.

mod adopting;
mod pod;
mod related;

use mcp_operator_core::build::child_name;
use serde_json::{Map, Value, json};

use self::related::Related;
use super::Imported;
use super::container::{Spec, set, set_replicas};
use super::field_reader::Fields;
use crate::documents::Document;

/// Makes MCPServers of Deployments and what belongs to them, and takes those manifests out of the documents.
pub(super) fn take_servers(documents: &mut Vec<Document>) -> Vec<Imported> {
    let (deployments, mut others): (Vec<_>, Vec<_>) = std::mem::take(documents)
        .into_iter()
        .partition(|document| document.is("apps/v1", "Deployment"));
    let imported = deployments
        .iter()
        .map(|deployment| {
            let related = Related::take(&deployment.object, &mut others);
            server(&deployment.object, &related)
        })
        .collect();
    *documents = others;
    imported
}

fn server(deployment: &Value, related: &Related) -> Imported {
    let metadata = &deployment["metadata"];
    let own = metadata["name"].as_str().unwrap_or_default();
    let name = own.strip_prefix("mcp-").unwrap_or(own);
    let mut fields = Fields::of(&deployment["spec"], "spec");
    let mut spec = Spec::new();
    set_replicas(&mut spec, fields.take("replicas"));
    for said in [
        "selector",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
    ] {
        fields.take(said);
    }
    let strategy = fields.take("strategy");
    if strategy.is_some_and(|strategy| strategy["type"] == "Recreate") {
        fields.note(
            "spec.strategy: pods are replaced one after the other, and not all at once (strategy)",
        );
    }
    let port = fields.inside("template", |template| {
        pod::read(&mut spec, template, name, related)
    });
    around(&mut spec, &mut fields, port, name, related);
    let mut imported = Imported {
        origin: format!("Deployment {own}"),
        name: String::new(),
        namespace: metadata["namespace"].as_str().map(str::to_owned),
        labels: Map::new(),
        spec: Some(spec),
        notes: fields.into_notes(),
        advice: Vec::new(),
    };
    imported.rename(name);
    imported.advice = adopting::advice(&imported, deployment, related);
    imported
}

/// What the objects around the pods say.
fn around(spec: &mut Spec, fields: &mut Fields, port: i64, name: &str, related: &Related) {
    if let Some(service) = related.first("Service") {
        let said = service["spec"]["ports"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for asked in said {
            let number = asked["port"].as_i64().unwrap_or_default();
            if number != port {
                fields.note(format!("port {number} of the Service goes: that of an MCPServer has the port of its pods, {port}. Callers have to use that"));
            }
        }
        if service["spec"]["sessionAffinity"] != "ClientIP" {
            spec.insert("sessions".into(), "None".into());
        }
    }
    if let Some(account) = related.first("ServiceAccount") {
        let own = account["metadata"]["name"] == child_name(name).as_str();
        let role = &account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"];
        if let Some(role) = role.as_str().filter(|_| own) {
            spec.insert("aws".into(), json!({ "iamRole": role }));
        }
    }
    match related.first("PodDisruptionBudget") {
        None => drop(spec.insert("podDisruptionBudget".into(), json!({ "enabled": false }))),
        Some(budget) => {
            let mut kept = Spec::new();
            for member in ["minAvailable", "maxUnavailable"] {
                let said = &budget["spec"][member];
                set(&mut kept, member, (!said.is_null()).then(|| said.clone()));
            }
            set(
                spec,
                "podDisruptionBudget",
                (!kept.is_empty()).then_some(kept),
            );
        }
    }
    if let Some(monitor) = related.first("ServiceMonitor") {
        metrics(spec, fields, monitor);
    }
    if related.first("HorizontalPodAutoscaler").is_some() {
        fields.note("the HorizontalPodAutoscaler becomes none: say autoscaling, and delete it or offer it too");
    }
}

fn metrics(spec: &mut Spec, fields: &mut Fields, monitor: &Value) {
    let mut kept = Spec::from_iter([("enabled".to_owned(), Value::from(true))]);
    let endpoints = monitor["spec"]["endpoints"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if let Some(endpoint) = endpoints.first() {
        for member in ["path", "interval"] {
            set(&mut kept, member, endpoint[member].as_str());
        }
    }
    if endpoints.len() > 1 {
        fields.note("the ServiceMonitor has several endpoints: an MCPServer has one");
    }
    let observability = spec.entry("observability").or_insert_with(|| json!({}));
    observability["metrics"] = kept.into();
}
