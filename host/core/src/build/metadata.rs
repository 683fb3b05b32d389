//! Names, labels and owner references, the same for all objects of one MCPServer.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::labels;
use mcp_operator_api::v1alpha1::McpServer;

use super::Settings;

/// Labels that other programs use to recognise what is theirs: they must not spread to our objects.
const FOREIGN_LABELS: [&str; 6] = [
    "app.kubernetes.io/",
    "argocd.argoproj.io/",
    "helm.sh/",
    "helm.toolkit.fluxcd.io/",
    "kustomize.toolkit.fluxcd.io/",
    "mcp.litellm.ai/server",
];

/// Name of all objects of an MCPServer: `mcp-<name>`.
pub fn child_name(server: &str) -> String {
    format!("mcp-{server}")
}

/// Base URL of an MCPServer's Service, without a path.
pub fn service_url(server: &McpServer, settings: &Settings, port: i32) -> String {
    let (name, namespace) = (child_name(&server.name_any()), namespace(server));
    format!(
        "http://{name}.{namespace}.svc.{}:{port}",
        settings.cluster_domain
    )
}

/// Labels by which pods are found. A Deployment's selector cannot change, so these never may.
pub fn selector(server: &McpServer) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::NAME.into(), child_name(&server.name_any())),
        (labels::INSTANCE.into(), server.name_any()),
    ])
}

/// Labels of all objects: the user's own (cost centres and teams are found by them), then ours.
pub(super) fn all_labels(server: &McpServer) -> BTreeMap<String, String> {
    let foreign = |key: &str| FOREIGN_LABELS.iter().any(|prefix| key.starts_with(prefix));
    let mut all = server.labels().clone();
    all.retain(|key, _| !foreign(key));
    all.extend(selector(server));
    all.insert(labels::MANAGED_BY.into(), labels::MANAGED_BY_VALUE.into());
    all.insert(labels::SERVER.into(), server.name_any());
    all
}

/// Metadata of an object of this server.
pub(super) fn object_meta(server: &McpServer) -> ObjectMeta {
    ObjectMeta {
        name: Some(child_name(&server.name_any())),
        namespace: Some(namespace(server)),
        labels: Some(all_labels(server)),
        owner_references: server.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

fn namespace(server: &McpServer) -> String {
    server.namespace().unwrap_or_default()
}
