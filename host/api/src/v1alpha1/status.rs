//! What the operator says about an MCPServer.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator says about an MCPServer.
///
/// The default says that nobody has looked at it yet: tools that wait for a server would take one without a status for ready.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = { "observedGeneration": -1 }))]
pub struct McpServerStatus {
    /// Where the server stands, in one word. Follows from the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,

    /// Ready and wanted pods: `2/2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ready: Option<String>,

    /// The details: `SpecValid`, `DeploymentReady`, `ExternalSecretSynced`,
    /// `ServiceMonitorCreated`, `LiteLLMRegistered` and the summary `Ready`;
    /// while it is not ready, `Reconciling` or `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Where the server is reached: inside the cluster, or elsewhere for a remote one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,

    /// What LiteLLM knows about the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub litellm: Option<LiteLlmStatus>,

    /// Pods that exist, for the `scale` subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Label selector of the pods, for the `scale` subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub selector: Option<String>,

    /// Fields of the MCPServer that plugins set, at most 64: what stands in no other place, since it is only in the objects,
    /// and what was set at admission, as long as no user said otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::defaults")]
    pub defaults: Vec<DefaultedField>,

    /// `metadata.generation` that this status is about; -1 until the operator has looked at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// When something in this status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<Time>,
}

impl McpServerStatus {
    /// Whether the controller has written it.
    pub fn is_written(&self) -> bool {
        self.observed_generation
            .is_some_and(|generation| generation >= 0)
    }
}

/// Where a server stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Not begun: the specification has not been judged yet, or is being waited for.
    Pending,
    /// Objects are made, pods are not there for the first time yet.
    Creating,
    /// Everything is there and serves.
    Ready,
    /// It serves, and a change is on its way.
    Updating,
    /// Somebody must do something; the conditions say what.
    Failed,
}

/// Where a server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoints {
    /// The Service, without a path. Of a remote server: its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub service: Option<String>,
    /// The MCP endpoint, as LiteLLM uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub mcp: Option<String>,
    /// The metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub metrics: Option<String>,
}

/// What LiteLLM knows about a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LiteLlmStatus {
    /// Name of the server in LiteLLM: its tools are called `<name>-<tool>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Where LiteLLM was told that the server is, as long as that is elsewhere. A server that comes here is called there until
    /// a pod of it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub url: Option<String>,
}

/// A field that a plugin set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefaultedField {
    /// The field: `spec.resources.limits.cpu`, `metadata.labels[team]`.
    #[schemars(length(max = 512))]
    pub field: String,
    /// Name of the MCPPlugin.
    #[schemars(length(max = 512))]
    pub plugin: String,
}
