//! Names, labels and owner references, the same for all objects of one MCPServer.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use mcp_operator_api::names::{annotations, labels};

use super::Settings;
use crate::server_key::ServerKey;
use crate::validated_server::ValidatedServer;

/// Name of all objects of an MCPServer: `mcp-<name>`.
pub fn child_name(server: &str) -> String {
    format!("mcp-{server}")
}

/// Base URL of an MCPServer's Service, without a path.
pub fn service_url(server: &ServerKey, settings: &Settings, port: i32) -> String {
    let (name, namespace) = (child_name(&server.name), &server.namespace);
    format!(
        "http://{name}.{namespace}.svc.{}:{port}",
        settings.cluster_domain
    )
}

/// Labels by which pods are found. A Deployment's selector cannot change, so these never may.
pub fn selector(server: &ServerKey) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::NAME.into(), child_name(&server.name)),
        (labels::INSTANCE.into(), server.name.clone()),
    ])
}

/// The selector of the pods of a server.
pub(super) fn label_selector(server: &ValidatedServer) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(&server.key)),
        ..LabelSelector::default()
    }
}

/// Labels of all objects and pods of an MCPServer, by its name.
pub(crate) fn own_labels(server: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::NAME.into(), child_name(server)),
        (labels::INSTANCE.into(), server.to_owned()),
        (labels::MANAGED_BY.into(), labels::MANAGED_BY_VALUE.into()),
        (labels::SERVER.into(), server.to_owned()),
    ])
}

/// Metadata of an object of this server.
pub(super) fn object_meta(server: &ValidatedServer) -> ObjectMeta {
    ObjectMeta {
        name: Some(child_name(&server.key.name)),
        namespace: Some(server.key.namespace.clone()),
        labels: Some(own_labels(&server.key.name)),
        owner_references: server.owner_reference.clone().map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// Metadata of an object of this server in another namespace. There an owner reference would name an MCPServer of that
/// namespace, and the garbage collector would delete the object; a label and an annotation name the server instead.
pub(super) fn object_meta_elsewhere(server: &ValidatedServer, elsewhere: &str) -> ObjectMeta {
    let mut labels = own_labels(&server.key.name);
    labels.insert(
        labels::SERVER_NAMESPACE.into(),
        server.key.namespace.clone(),
    );
    let annotations = server
        .uid
        .clone()
        .map(|uid| BTreeMap::from([(annotations::SERVER_UID.into(), uid)]));
    ObjectMeta {
        name: Some(name_elsewhere(&server.key)),
        namespace: Some(elsewhere.to_owned()),
        labels: Some(labels),
        annotations,
        ..ObjectMeta::default()
    }
}

/// `mcp.<namespace>.<name>`: unique over all namespaces, since neither of the two can have a dot in it.
pub(super) fn name_elsewhere(server: &ServerKey) -> String {
    format!("mcp.{}.{}", server.namespace, server.name)
}
