//! An MCPServer, typed.

use std::collections::BTreeMap;

use mcp_operator_api::v1alpha1::McpServerSpec;
use serde::Deserialize;

/// An MCPServer. What this version does not know is in [`Request::object()`](crate::Request::object).
#[derive(Clone, Debug, Deserialize)]
pub struct McpServer {
    /// Name, labels.
    #[serde(default)]
    pub metadata: Metadata,
    /// What the user wants.
    pub spec: McpServerSpec,
}

/// Metadata of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// Its name; empty if it is generated.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}
