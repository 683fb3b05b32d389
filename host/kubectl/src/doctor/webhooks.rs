//! The webhook configurations: whether the API server asks the operator about everything that it has to judge.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use mcp_operator_api::names::installation::CONFIGURATION;
use serde_json::Value;

use super::Finding;
use super::installation::{Found, Installation, place, webhooks};

/// As they are installed. The chart changes nothing in them but namespaces and certificates.
const SHIPPED: &str = include_str!("../../../../deploy/base/webhook.yaml");
const REMEDY: &str = "apply the webhook configurations of the chart or of deploy/base again";
/// What must be as it is shipped: the rest is what the API server fills in, the certificate, or the platform's choice.
const COMPARED: [&str; 5] = [
    "rules",
    "failurePolicy",
    "matchConditions",
    "sideEffects",
    "admissionReviewVersions",
];

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let shipped = serde_saphyr::from_multiple::<Value>(SHIPPED).unwrap_or_default();
    let mut findings = Vec::new();
    for (kind, found) in installation.webhook_configurations() {
        let at = place(kind, "", CONFIGURATION);
        let configuration = match found {
            Found::Unread => continue,
            Found::Missing => {
                findings.push(Finding::wrong(at, "it is not there: the API server asks nobody, and stores MCPServers without rules", REMEDY));
                continue;
            }
            Found::There(configuration) => configuration,
        };
        let wanted = shipped.iter().filter(|it| it["kind"] == kind);
        for wanted in wanted.flat_map(webhooks) {
            let found = webhooks(configuration).find(|it| it["name"] == wanted["name"]);
            let name = wanted["name"].as_str().unwrap_or_default();
            match found {
                None => findings.push(Finding::wrong(
                    &at,
                    format!("the webhook {name} is not in it"),
                    REMEDY,
                )),
                Some(found) => findings.extend(of_webhook(found, wanted, name, &at, installation)),
            }
        }
    }
    findings
}

fn of_webhook(
    found: &Value,
    wanted: &Value,
    name: &str,
    at: &str,
    installation: &Installation,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for field in COMPARED {
        if !covers(&found[field], &wanted[field]) {
            let is = if field == "failurePolicy" {
                format!(
                    "failurePolicy of {name} is {}, and not {}: what the operator cannot judge is stored",
                    found[field], wanted[field]
                )
            } else {
                format!(
                    "{field} of {name} are not those that are shipped: not everything is judged"
                )
            };
            findings.push(Finding::wrong(at, is, REMEDY));
        }
    }
    let (client, service) = (&found["clientConfig"], &found["clientConfig"]["service"]);
    let path = &wanted["clientConfig"]["service"]["path"];
    if !service.is_null() && service["path"] != *path {
        findings.push(Finding::wrong(
            at,
            format!(
                "{name} asks for the path {}, and not {path}",
                service["path"]
            ),
            REMEDY,
        ));
    }
    if !service.is_null() && service["namespace"] != installation.namespace.as_str() {
        let namespace = service["namespace"].as_str().unwrap_or_default();
        findings.push(Finding::wrong(
            at,
            format!(
                "{name} asks in the namespace {namespace}, and the operator is in {}",
                installation.namespace
            ),
            format!("correct it, or --operator-namespace {namespace}"),
        ));
    }
    if client["caBundle"].as_str().is_none_or(str::is_empty) {
        let remedy = if installation.has_mounted_certificate() {
            "cert-manager's cainjector fills it in; its annotation on the configuration names the Certificate"
        } else {
            "the operator that leads fills it in: its log says why not, such as a permission to patch it"
        };
        findings.push(Finding::wrong(
            at,
            format!("{name} has no caBundle: the API server trusts no certificate of the operator"),
            remedy,
        ));
    }
    findings.extend(unjudged(found, name, at, installation));
    findings
}

/// Namespaces with MCPServers that the selector leaves out.
fn unjudged(found: &Value, name: &str, at: &str, installation: &Installation) -> Option<Finding> {
    let (servers, namespaces) = (
        installation.list("MCPServer", "")?,
        installation.list("Namespace", "")?,
    );
    let selector = found["namespaceSelector"].clone();
    let selector: LabelSelector = serde_json::from_value(selector).unwrap_or_default();
    let selector = Selector::try_from(selector).ok()?;
    let is_left_out = |namespace: &Value| {
        let labels = namespace["metadata"]["labels"].clone();
        let labels: BTreeMap<String, String> = serde_json::from_value(labels).unwrap_or_default();
        !selector.matches(&labels)
    };
    let of = |server: &&Value| {
        let mut all = namespaces.iter();
        all.find(|it| it["metadata"]["name"] == server["metadata"]["namespace"])
            .is_some_and(is_left_out)
    };
    let server = servers.iter().find(of)?;
    let namespace = server["metadata"]["namespace"].as_str().unwrap_or_default();
    Some(Finding::wrong(
        at,
        format!(
            "namespaceSelector of {name} leaves out the namespace {namespace}, which has MCPServers: no rule judges them there at admission"
        ),
        format!("correct the selector, or the labels of the namespace {namespace}"),
    ))
}

/// Whether everything that is wanted is there: lists have the same items, in any order, and objects may have more.
fn covers(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (_, Value::Null) => true,
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| found.get(name).is_some_and(|found| covers(found, wanted))),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && wanted
                    .iter()
                    .all(|wanted| found.iter().any(|found| covers(found, wanted)))
        }
        (found, wanted) => found == wanted,
    }
}
