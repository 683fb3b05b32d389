//! How many pods there are and where they run.

use serde::{Deserialize, Serialize};

use super::IntOrPercent;

/// How many pods may be away at a time when nodes are drained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("!(has(self.minAvailable) && has(self.maxUnavailable))")
        .message("minAvailable and maxUnavailable exclude each other"))
)]
#[serde(rename_all = "camelCase")]
pub struct PodDisruptionBudget {
    /// Whether there is a budget at all. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// Pods that must stay, a number or a percentage: `1`, `50%`. Default: 1, unless `maxUnavailable` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_available: Option<IntOrPercent>,

    /// Pods that may be away, a number or a percentage: `1`, `50%`. Excludes `minAvailable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrPercent>,
}

fn yes() -> bool {
    true
}

impl Default for PodDisruptionBudget {
    fn default() -> Self {
        Self {
            enabled: true,
            min_available: None,
            max_unavailable: None,
        }
    }
}

/// How pods are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Affinity {
    /// Pods of this server on different nodes: `preferred` (the default), `required` or
    /// `none`.
    #[serde(default)]
    pub pod_anti_affinity: Spread,

    /// Pods of this server evenly over zones: `preferred` (the default), `required` or `none`.
    #[serde(default)]
    pub zone_spread: Spread,
}

/// How strictly pods are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Where it is possible.
    #[default]
    Preferred,
    /// Or the pod stays pending.
    Required,
    /// Not at all.
    None,
}

/// Scales the number of pods by load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("self.minReplicas <= self.maxReplicas")
        .message("minReplicas must not be greater than maxReplicas"))
)]
#[serde(rename_all = "camelCase")]
pub struct Autoscaling {
    /// Fewest pods. Default: 2.
    #[serde(default = "two")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 1000)))]
    pub min_replicas: i32,

    /// Most pods, for example 10.
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 1000)))]
    pub max_replicas: i32,

    /// Use of CPU to keep, in percent of the requests. Default: 80, if no memory target is given.
    #[serde(
        default,
        rename = "targetCPUUtilizationPercentage",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 1000)))]
    pub target_cpu_utilization_percentage: Option<i32>,

    /// Use of memory to keep, in percent of the requests, for example 70. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 1000)))]
    pub target_memory_utilization_percentage: Option<i32>,
}

fn two() -> i32 {
    2
}
