//! The custom resource definitions, as manifests.

use anyhow::{Context, Result};
use kube::CustomResourceExt;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};

/// Both definitions, or the one with this plural name, as YAML.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn manifests(plural: Option<&str>) -> Result<String> {
    let wanted = [McpServer::crd(), McpPlugin::crd()]
        .into_iter()
        .filter(|crd| plural.is_none_or(|plural| crd.spec.names.plural == plural));
    let documents = wanted
        .map(|crd| serde_saphyr::to_string(&crd))
        .collect::<Result<Vec<_>, _>>();
    documents
        .map(|documents| documents.join("---\n"))
        .context("cannot write a definition as YAML")
}
