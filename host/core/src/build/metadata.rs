//! Names, labels and owner references, the same for all objects of one MCPServer.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::{annotations, labels};
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
        owner_references: owner(server).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// Metadata of an object of this server in another namespace. An owner reference would name an MCPServer of that namespace
/// and so delete the object; a label and an annotation name ours instead.
pub(super) fn object_meta_elsewhere(server: &McpServer, elsewhere: &str) -> ObjectMeta {
    let mut labels = all_labels(server);
    labels.insert(labels::SERVER_NAMESPACE.into(), namespace(server));
    let annotations = server
        .uid()
        .map(|uid| BTreeMap::from([(annotations::SERVER_UID.into(), uid)]));
    ObjectMeta {
        name: Some(name_elsewhere(server)),
        namespace: Some(elsewhere.to_owned()),
        labels: Some(labels),
        annotations,
        ..ObjectMeta::default()
    }
}

/// `mcp.<namespace>.<name>`: the only one of all namespaces, since neither of the two can have a dot in it.
pub(super) fn name_elsewhere(server: &McpServer) -> String {
    format!("mcp.{}.{}", namespace(server), server.name_any())
}

/// Who deletes an MCPServer in the foreground waits until its objects are gone.
fn owner(server: &McpServer) -> Option<OwnerReference> {
    let owner = server.controller_owner_ref(&())?;
    Some(OwnerReference {
        block_owner_deletion: Some(true),
        ..owner
    })
}

pub(super) fn namespace(server: &McpServer) -> String {
    server.namespace().unwrap_or_default()
}
