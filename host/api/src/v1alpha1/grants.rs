//! What a plugin may reach.

use serde::{Deserialize, Serialize};

/// What a plugin may reach. What is not named here, it is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[serde(rename_all = "camelCase")]
pub struct PluginGrants {
    /// ConfigMaps that a registrar may read, with the keys that it may write:
    /// `[{namespace: litellm, name: litellm-mcp-servers, writeKeys: [mcp_servers.yaml]}]`. Never one of a namespace that begins
    /// with `kube-`, or of the operator's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "crd", schemars(length(max = 64)))]
    pub config_maps: Vec<ConfigMapGrant>,

    /// Workloads whose rollout a registrar may see, and whose pods it may replace: `[{namespace: litellm, name: litellm-proxy}]`.
    /// Never one of a namespace that begins with `kube-`, or of the operator's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "crd", schemars(length(max = 64)))]
    pub workloads: Vec<WorkloadGrant>,

    /// Fields of MCPServers that a defaulter may set, with all that is below them: `[spec.resources, spec.podDisruptionBudget]`.
    /// By whole names: `spec.res` is not for `spec.resources`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 64),
            inner(length(max = 256), regex(pattern = r"^spec(\.[A-Za-z][A-Za-z0-9]*)+$"))
        )
    )]
    pub fields: Vec<String>,

    /// Labels that a defaulter may set on MCPServers, their objects and pods: by whole names, or `cost.acme.io/` for all that
    /// begin so. Those of Kubernetes itself by whole names only, and never those by which the operator finds its objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 64),
            inner(
                length(max = 317),
                regex(
                    pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/|([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$"
                )
            )
        )
    )]
    pub labels: Vec<String>,

    /// Annotations that a defaulter may set on MCPServers, their objects and pods, in the same words. Those of
    /// ServiceAccounts, by which clouds give roles, by whole names only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 64),
            inner(
                length(max = 317),
                regex(
                    pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/|([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$"
                )
            )
        )
    )]
    pub annotations: Vec<String>,
}

impl PluginGrants {
    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A ConfigMap that a registrar may read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("!self.__namespace__.startsWith('kube-')")
        .message("must not be in a namespace that begins with kube-: those are the cluster's own"))
)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapGrant {
    /// Namespace of the ConfigMap.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 63)))]
    pub namespace: String,
    /// Name of the ConfigMap.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 253)))]
    pub name: String,
    /// Keys that the registrar may write, also where somebody else has. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 64), inner(length(min = 1, max = 253)))
    )]
    pub write_keys: Vec<String>,
}

/// A workload whose pods a registrar may replace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("!self.__namespace__.startsWith('kube-')")
        .message("must not be in a namespace that begins with kube-: those are the cluster's own"))
)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadGrant {
    /// Kind of the workload. Default: `Deployment`, the only one.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// Namespace of the workload.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 63)))]
    pub namespace: String,
    /// Name of the workload.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 253)))]
    pub name: String,
}

/// A kind of workload that can be rolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum WorkloadKind {
    /// A Deployment of `apps/v1`.
    #[default]
    Deployment,
}
