//! The typed MCPServer.

use std::collections::BTreeMap;

use mcp_operator_api::v1alpha1::McpServerSpec;
use serde::Deserialize;

/// An MCPServer. Members that this version of the SDK does not know are in [`Request::object()`](crate::Request::object).
#[derive(Clone, Debug, Deserialize)]
pub struct McpServer {
    /// The metadata that rules need.
    #[serde(default)]
    pub metadata: Metadata,
    /// The specification, as the CRD documents it, with its defaults.
    pub spec: McpServerSpec,
}

/// A part of Kubernetes' `ObjectMeta`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// `metadata.name`; empty at admission if the API server generates it.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}
