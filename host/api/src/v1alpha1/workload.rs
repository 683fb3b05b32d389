//! The container of an MCP server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Quantity;

/// A container image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Registry and repository, without a tag: `ghcr.io/acme/mcp-github`. No more than 255 characters.
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(min = 1, max = 255),
            regex(
                pattern = r"^([^/:@\s.][^/:@\s]*(:[0-9]+)?/)?[^/:@\s.][^/:@\s]*(/[^/:@\s.][^/:@\s]*)*$"
            )
        )
    )]
    pub repository: String,

    /// Tag, for example `1.0.0`. `latest` is refused by the default rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 128), regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"))
    )]
    pub tag: Option<String>,

    /// Digest, for example `sha256:9f86d0...`. It wins over `tag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 71), regex(pattern = r"^sha256:[0-9a-f]{64}$"))
    )]
    pub digest: Option<String>,

    /// When to pull the image: `IfNotPresent` (the default), `Always` or `Never`.
    #[serde(default)]
    pub pull_policy: PullPolicy,
}

impl Image {
    /// The reference as a container runtime takes it.
    pub fn reference(&self) -> String {
        let tag = self
            .tag
            .as_ref()
            .map(|tag| format!(":{tag}"))
            .unwrap_or_default();
        let digest = self
            .digest
            .as_ref()
            .map(|digest| format!("@{digest}"))
            .unwrap_or_default();
        format!("{}{tag}{digest}", self.repository)
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum PullPolicy {
    /// Unless the node has it.
    #[default]
    IfNotPresent,
    /// At every start of a container.
    Always,
    /// Never: the node must have it.
    Never,
}

/// CPU and memory of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct Resources {
    /// What the scheduler sets aside, for example `cpu: 100m`, `memory: 128Mi`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "crd", schemars(extend("maxProperties" = 16)))]
    pub requests: BTreeMap<String, Quantity>,

    /// What the container may use at most, for example `cpu: 500m`, `memory: 512Mi`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "crd", schemars(extend("maxProperties" = 16)))]
    pub limits: BTreeMap<String, Quantity>,
}

/// An environment variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("!(has(self.value) && has(self.valueFrom))")
        .message("value and valueFrom exclude each other"))
)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Name of the variable, for example `LOG_LEVEL`.
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 256), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))
    )]
    pub name: String,

    /// Its value, for example `debug`. Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 32_768)))]
    pub value: Option<String>,

    /// Where its value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// Where the value of an environment variable comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("has(self.secretKeyRef) != has(self.configMapKeyRef)")
        .message("exactly one of secretKeyRef and configMapKeyRef must be given"))
)]
#[serde(rename_all = "camelCase")]
pub struct EnvVarSource {
    /// A key of a Secret in the same namespace: `{name: github, key: token}`. Pods read it when they start: where the
    /// Secret has the label `mcp.litellm.ai/server` with the name of the MCPServer, a change of its data replaces them,
    /// and otherwise it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeySelector>,

    /// A key of a ConfigMap in the same namespace: `{name: settings, key: region}`. Pods read it when they start, and a
    /// change of it does not replace them: `kubectl rollout restart deployment mcp-NAME` does. What is in `config`
    /// replaces them by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeySelector>,
}

/// A key of a Secret or ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct KeySelector {
    /// Name of the object.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub name: String,
    /// Key in its data.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub key: String,
    /// Start the pod even if the object or the key does not exist. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// The name of an object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct LocalReference {
    /// Name of the object.
    #[cfg_attr(feature = "crd", schemars(length(max = 253)))]
    pub name: String,
}
