//! What a server needs of its pods: who it runs as, where it may write, on which nodes, and how pods are replaced.
//!
//! Each is a field of a pod by its own name, with bounds. There is no template to patch: what is not here cannot be asked
//! for, so that whoever may create MCPServers cannot create any pod there is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{IntOrPercent, Quantity};

/// Who the server runs as. Never root: an image that needs it does not pass the Pod Security Standard `restricted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    /// Number of the user, for example 1000. An image that names its user (`USER node`) needs it, since whether a name is
    /// root cannot be told. Default: that of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 2_147_483_647)))]
    pub run_as_user: Option<i64>,

    /// Number of the group, for example 1000. Default: that of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 2_147_483_647)))]
    pub run_as_group: Option<i64>,

    /// Number of the group that owns what is mounted, for example 1000. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 2_147_483_647)))]
    pub fs_group: Option<i64>,
}

/// An empty folder that the server may write to; it goes with the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("!(self.mountPath.matches('^/(proc|sys|dev)(/|$)') || self.mountPath.matches('(^|/)[.][.]?(/|$)') || self.mountPath.matches('^/etc/mcp(/|$)'))")
        .message("must be an absolute path without . and .., and not below /proc, /sys, /dev or /etc/mcp")
        .field_path(".mountPath"))
)]
#[serde(rename_all = "camelCase")]
pub struct EmptyDir {
    /// Absolute path of the folder, for example `/home/node`. What the image has there is hidden.
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 256), regex(pattern = r"^(/[A-Za-z0-9._@+-]+)+$"))
    )]
    pub mount_path: String,

    /// How much may be written; a pod that writes more is replaced. Default: `1Gi`.
    #[serde(default = "one_gibibyte")]
    pub size_limit: Quantity,
}

fn one_gibibyte() -> Quantity {
    Quantity("1Gi".into())
}

/// A taint of nodes on which the server may run all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(
        validation = kube::core::Rule::new("self.operator != 'Exists' || !has(self.value)")
            .message("is for the operator Equal: remove it, or the operator")
            .field_path(".value"),
        validation = kube::core::Rule::new("has(self.key) || self.operator == 'Exists'")
            .message("must be given, unless the operator is Exists, which then tolerates every taint")
            .field_path(".key"),
        validation = kube::core::Rule::new("!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')")
            .message("is for the effect NoExecute")
            .field_path(".tolerationSeconds"),
    )
)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// Key of the taint, for example `pool`. Default: any, with the operator `Exists`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(min = 1, max = 317),
            regex(
                pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
            )
        )
    )]
    pub key: Option<String>,

    /// `Equal` (the default): the taint has `value`; `Exists`: whatever its value.
    #[serde(default)]
    pub operator: TolerationOperator,

    /// Value of the taint, for example `mcp`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 63),
            regex(pattern = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
        )
    )]
    pub value: Option<String>,

    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,

    /// Seconds for which a pod stays on a node that gets the taint with `NoExecute`. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0, max = 86_400)))]
    pub toleration_seconds: Option<i64>,
}

/// How a toleration matches a taint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum TolerationOperator {
    /// By key and value.
    #[default]
    Equal,
    /// By key.
    Exists,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum TaintEffect {
    /// None comes.
    NoSchedule,
    /// None comes if there is another node.
    PreferNoSchedule,
    /// None comes, and those that are there go.
    NoExecute,
}

/// How pods are replaced when something about them changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(
        validation = kube::core::Rule::new("self.type == 'RollingUpdate' || !(has(self.maxSurge) || has(self.maxUnavailable))")
            .message("maxSurge and maxUnavailable are for the type RollingUpdate: with Recreate, all pods go before the first comes")
            .field_path(".type"),
        validation = kube::core::Rule::new("!has(self.maxUnavailable) || !has(self.maxSurge) || !(string(self.maxUnavailable) in ['0', '0%'] && string(self.maxSurge) in ['0', '0%'])")
            .message("must not be 0 as maxSurge is: no pod could ever be replaced")
            .field_path(".maxUnavailable"),
    )
)]
#[serde(rename_all = "camelCase")]
pub struct Strategy {
    /// `RollingUpdate` (the default): pods are replaced by and by; `Recreate`: all go, then the new ones come, for a server
    /// of which there must never be two versions at once.
    #[serde(rename = "type", default)]
    pub strategy_type: StrategyType,

    /// Pods that there may be in addition during a rollout, a number or a percentage: `1`, `25%`. 0 where a quota leaves no
    /// room for more. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_surge: Option<IntOrPercent>,

    /// Pods that may be missing during a rollout, a number or a percentage: `1`, `25%`. Default: 0, so that no pod is stopped
    /// before its successor serves; 1 where `maxSurge` is 0 or pods must not share a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrPercent>,
}

/// How pods are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum StrategyType {
    /// By and by.
    #[default]
    RollingUpdate,
    /// All at once.
    Recreate,
}

/// Labels that a node must have.
pub type NodeSelector = BTreeMap<String, String>;
