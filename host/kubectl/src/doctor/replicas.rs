//! The operator's pods, and whether the API server finds them.

use mcp_operator_core::rollout::Rollout;
use serde_json::Value;

use super::Finding;
use super::installation::{Found, Installation, MANAGER, place};
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
    if wanted == 1 {
        findings.push(Finding::doubtful(
            at,
            "it has one replica: while that is replaced, no MCPServer can be written",
            "replicas: 2 in the values of the chart",
        ));
    }
    findings
}

/// The operator's pods: those of its Deployment.
fn pods(installation: &Installation) -> impl Iterator<Item = &Value> {
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
            "apply deploy/base or the chart again",
        )];
    }
    let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
    if !ports.any(|port| port["port"].as_i64() == Some(443)) {
        return vec![Finding::wrong(
            at,
            "it has no port 443, which the API server asks",
            "apply deploy/base or the chart again",
        )];
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
