//! Who may reach the pods and what they may reach.

use serde::{Deserialize, Serialize};

/// A NetworkPolicy: in, only from LiteLLM and Prometheus; out, DNS and what is stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Whether there is one. Default: false.
    #[serde(default)]
    pub enabled: bool,

    /// What the pods may reach besides DNS: `[{cidr: 10.0.0.0/8, ports: [443]}]`. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressRule>,
}

/// A range of addresses and ports that pods may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EgressRule {
    /// Addresses in CIDR notation: `0.0.0.0/0`, `10.0.0.0/8`.
    pub cidr: String,

    /// TCP ports: `[443]`. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<i32>,
}
