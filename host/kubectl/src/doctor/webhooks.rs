//! The webhook configurations: whether the API server asks the operator about everything that it has to judge.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use mcp_operator_api::names::installation::CONFIGURATION;
use serde_json::{Map, Value};

use super::Finding;
use super::installation::{Found, HTTPS, Installation, labels, place, webhooks};

/// As they are installed. The chart changes nothing in them but namespaces and certificates.
const SHIPPED: &str = include_str!("../../../../deploy/base/webhook.yaml");
const REMEDY: &str = "apply the webhook configurations of the chart or of deploy/base again";
/// What must be as it is shipped: the rest is what the API server fills in, the certificate, or the platform's choice.
const COMPARED: [&str; 6] = [
    "rules",
    "failurePolicy",
    "matchConditions",
    "reinvocationPolicy",
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
            Found::Missing if installation.has_webhooks_off() => {
                findings.push(Finding::doubtful(at, "it is not there, and ENABLE_WEBHOOKS of the operator is false: MCPServers are stored without rules, and judged afterwards", "ENABLE_WEBHOOKS=true, and the webhook configurations of the chart"));
                continue;
            }
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
    let left_out = left_out(found, name);
    findings.extend(left_out.map(|what| Finding::wrong(at, what, REMEDY)));
    let wanted_seconds = wanted["timeoutSeconds"].as_i64();
    let seconds = found["timeoutSeconds"].as_i64();
    if seconds.is_some() && seconds < wanted_seconds {
        findings.push(Finding::doubtful(
            at,
            format!(
                "timeoutSeconds of {name} is {}, and {} is shipped: who waits longer for plugins is refused",
                found["timeoutSeconds"], wanted["timeoutSeconds"]
            ),
            REMEDY,
        ));
    }
    let client = &found["clientConfig"];
    findings.extend(of_client(
        client,
        &wanted["clientConfig"]["service"],
        name,
        at,
        installation,
    ));
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

/// What keeps MCPServers from being judged besides what is compared as it is shipped.
fn left_out(found: &Value, name: &str) -> Option<String> {
    let selector = &found["objectSelector"];
    let is_everything = ["matchLabels", "matchExpressions"].iter().all(|part| {
        let of_map = selector[*part].as_object().is_none_or(Map::is_empty);
        of_map && selector[*part].as_array().is_none_or(Vec::is_empty)
    });
    if !is_everything {
        return Some(format!(
            "{name} has an objectSelector: MCPServers with other labels are stored without rules"
        ));
    }
    let mut rules = found["rules"].as_array().into_iter().flatten();
    if rules.any(|rule| rule["scope"] == "Cluster") {
        return Some(format!(
            "rules of {name} have the scope Cluster, and MCPServers are in namespaces: none is judged"
        ));
    }
    (found["matchPolicy"] == "Exact").then(|| {
        format!("matchPolicy of {name} is Exact: MCPServers of other versions than those of its rules are stored without them")
    })
}

/// Whom the API server asks.
fn of_client(
    client: &Value,
    wanted: &Value,
    name: &str,
    at: &str,
    installation: &Installation,
) -> Vec<Finding> {
    let service = &client["service"];
    if service.is_null() {
        let url = client["url"].as_str().unwrap_or_default();
        return if installation.has_replicas() {
            let what = format!("{name} asks {url}, and not the operator's Service");
            vec![Finding::wrong(at, what, REMEDY)]
        } else {
            Vec::new()
        };
    }
    let mut findings = Vec::new();
    let path = wanted["path"].as_str().unwrap_or_default();
    for (part, wanted) in [("name", installation.service_name()), ("path", path)] {
        if service[part] != wanted {
            let what = format!(
                "{name} asks for the {part} {}, and not {wanted:?}",
                service[part]
            );
            findings.push(Finding::wrong(at, what, REMEDY));
        }
    }
    let port = service["port"].as_i64().unwrap_or(HTTPS);
    if port != HTTPS {
        let what = format!("{name} asks at the port {port}, and the Service has {HTTPS}");
        findings.push(Finding::wrong(at, what, REMEDY));
    }
    if service["namespace"] != installation.namespace.as_str() {
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
    let is_left_out = |namespace: &Value| !selector.matches(&labels(namespace));
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
pub(super) fn covers(found: &Value, wanted: &Value) -> bool {
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
