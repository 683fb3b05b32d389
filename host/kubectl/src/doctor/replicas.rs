//! The operator's pods, and whether the API server finds them.

use std::collections::BTreeSet;

use mcp_operator_core::rollout::Rollout;
use serde_json::{Map, Value};

use super::Finding;
use super::installation::{Found, HTTPS, Installation, MANAGER, place};
use crate::pod_trouble::trouble;
use crate::tree::serves;

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let namespace = &installation.namespace;
    let at = place("Deployment", namespace, MANAGER);
    let mut findings = match installation.deployment() {
        Found::Unread => Vec::new(),
        Found::Missing => {
            return vec![Finding::wrong(
                at,
                "it is not there: nobody judges, writes or registers",
                elsewhere(installation),
            )];
        }
        Found::There(deployment) => of_deployment(deployment, installation, &at),
    };
    findings.extend(service(installation));
    findings
}

/// Where the API server is told to ask may be where the operator is.
fn elsewhere(installation: &Installation) -> String {
    match installation.webhook_service() {
        Some((namespace, _)) if namespace != installation.namespace => {
            format!(
                "the webhook is asked for in the namespace {namespace}: --operator-namespace {namespace}; or install the chart"
            )
        }
        _ => "install the chart or deploy/base, or name its namespace with --operator-namespace"
            .into(),
    }
}

fn of_deployment(deployment: &Value, installation: &Installation, at: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Rollout {
        wanted,
        ready,
        updated,
        stuck,
        ..
    } = Rollout::of(deployment);
    if wanted == 0 {
        findings.push(Finding::wrong(
            at,
            "it has no replicas: every MCPServer is refused, and nothing is written",
            format!(
                "kubectl scale --namespace {} deployment/{MANAGER} --replicas 2",
                installation.namespace
            ),
        ));
    } else if ready < wanted {
        let why = troubles(installation).or_else(|| stuck.map(|stuck| stuck.message));
        let why = why.unwrap_or_else(|| "its pods are not ready; their logs say why".into());
        findings.push(Finding::wrong(
            at,
            format!("{ready} of {wanted} replicas are ready"),
            why,
        ));
    } else if updated < wanted {
        findings.push(Finding::doubtful(
            at,
            format!("{updated} of {wanted} replicas are of the present template"),
            "a rollout passes; one that does not end has a pod that is not ready",
        ));
    }
    findings.extend(of_options(deployment, wanted, installation, at));
    if wanted == 1 {
        findings.push(Finding::doubtful(
            at,
            "it has one replica: while that is replaced, no MCPServer can be written",
            "replicas: 2 in the values of the chart",
        ));
    }
    findings
}

/// What it was told that does not go together with the rest.
fn of_options(
    deployment: &Value,
    wanted: i64,
    installation: &Installation,
    at: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut configurations = installation.webhook_configurations().into_iter();
    if installation.has_webhooks_off() && configurations.any(|(_, it)| it.there().is_some()) {
        findings.push(Finding::wrong(
            at,
            "ENABLE_WEBHOOKS is false, and the API server is told to ask it: no MCPServer can be written",
            "ENABLE_WEBHOOKS=true, or delete the webhook configurations",
        ));
    }
    if installation.has_election_off() && wanted > 1 {
        findings.push(Finding::wrong(
            at,
            format!("LEADER_ELECT is false, and it has {wanted} replicas: all of them write"),
            "LEADER_ELECT=true, or one replica",
        ));
    }
    if deployment["spec"]["paused"] == true {
        findings.push(Finding::doubtful(
            at,
            "it is paused: what is changed in it reaches no pod",
            format!(
                "kubectl rollout resume --namespace {} deployment/{MANAGER}",
                installation.namespace
            ),
        ));
    }
    let images: BTreeSet<&str> = pods(installation)
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .flat_map(|pod| pod["spec"]["containers"].as_array().into_iter().flatten())
        .filter(|container| container["name"] == "manager")
        .filter_map(|container| container["image"].as_str())
        .collect();
    if images.len() > 1 {
        let images: Vec<&str> = images.into_iter().collect();
        findings.push(Finding::doubtful(
            at,
            format!("its pods have different images: {}", images.join(" and ")),
            "a rollout passes; one that does not end has a pod that is not ready",
        ));
    }
    findings
}

/// The operator's pods: those of its Deployment.
pub(super) fn pods(installation: &Installation) -> impl Iterator<Item = &Value> {
    let pods = installation.list("Pod", &installation.namespace);
    let labels = |pod: &Value| pod["metadata"]["labels"]["control-plane"] == "controller-manager";
    pods.into_iter().flatten().filter(move |pod| labels(pod))
}

fn troubles(installation: &Installation) -> Option<String> {
    pods(installation).find_map(trouble)
}

/// The Service of the webhook, and whether a pod serves behind it.
fn service(installation: &Installation) -> Vec<Finding> {
    let Some((namespace, name)) = installation.webhook_service() else {
        return Vec::new();
    };
    let at = place("Service", &namespace, &name);
    let service = match installation.object("Service", &namespace, &name) {
        Found::Unread => return Vec::new(),
        Found::Missing => {
            return vec![Finding::wrong(
                at,
                "it is not there, and the API server is told to ask it: no MCPServer can be written",
                "apply deploy/base or the chart again, or correct clientConfig of the webhook configurations",
            )];
        }
        Found::There(service) => service,
    };
    let template = installation.deployment().there();
    let labels = template.map(|it| &it["spec"]["template"]["metadata"]["labels"]);
    let selector = service["spec"]["selector"].as_object();
    let again = "apply deploy/base or the chart again";
    if selector.is_none_or(Map::is_empty) {
        let what = "it has no selector: the addresses behind it are whoever's wrote them";
        return vec![Finding::wrong(at, what, again)];
    }
    let unmatched = labels.and_then(|labels| {
        let mut selector = selector.into_iter().flatten();
        selector.find(|(label, value)| labels[label.as_str()] != **value)
    });
    if let Some((label, value)) = unmatched {
        return vec![Finding::wrong(
            at,
            format!(
                "its selector {label}={} is no label of the operator's pods",
                value.as_str().unwrap_or_default()
            ),
            again,
        )];
    }
    let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let Some(port) = ports.find(|port| port["port"].as_i64() == Some(HTTPS)) else {
        let what = format!("it has no port {HTTPS}, which the API server asks");
        return vec![Finding::wrong(at, what, again)];
    };
    if template.is_some_and(|deployment| !leads_to_a_port(port, deployment)) {
        let what = format!(
            "its targetPort {} is no port of the operator's pods: no MCPServer can be written",
            port["targetPort"]
        );
        return vec![Finding::wrong(at, what, again)];
    }
    let Some(slices) = installation.list("EndpointSlice", &namespace) else {
        return Vec::new();
    };
    let of_service =
        |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == name.as_str();
    let endpoints = slices.iter().filter(of_service);
    let endpoints = endpoints.flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    if endpoints.into_iter().any(serves) {
        return Vec::new();
    }
    vec![Finding::wrong(
        at,
        "no pod serves behind it: no MCPServer can be written",
        troubles(installation)
            .unwrap_or_else(|| "/readyz of the operator's pods says what they wait for".into()),
    )]
}

/// By its name or number; a port of a Service without a target is the same in the pods.
fn leads_to_a_port(port: &Value, deployment: &Value) -> bool {
    let target = &port["targetPort"];
    let target = if target.is_null() {
        &port["port"]
    } else {
        target
    };
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array();
    let mut ports = containers
        .into_iter()
        .flatten()
        .flat_map(|container| container["ports"].as_array().into_iter().flatten());
    ports.any(|port| port["name"] == *target || port["containerPort"] == *target)
}
