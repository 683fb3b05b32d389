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
    #[cfg_attr(feature = "crd", schemars(length(max = 64)))]
    pub egress: Vec<EgressRule>,
}

/// A range of addresses and ports that pods may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EgressRule {
    /// Addresses in CIDR notation: `10.0.0.0/8`. Where a cloud keeps the identity of its machines, such as
    /// `169.254.169.254`, is always left out.
    #[cfg_attr(feature = "crd", schemars(length(max = 49)))]
    pub cidr: String,

    /// TCP ports: `[443]`. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 64), inner(range(min = 1, max = 65_535)))
    )]
    pub ports: Vec<i32>,
}
