//! Registration with LiteLLM.

use serde::{Deserialize, Serialize};

/// Registration with LiteLLM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LiteLlm {
    /// Whether the operator registers the server.
    #[serde(default = "yes")]
    pub auto_register: bool,

    /// Access groups that the server belongs to in LiteLLM. A LiteLLM administrator grants access
    /// groups to keys and teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_user_groups: Vec<String>,

    /// Tools that LiteLLM offers, by the names that the server gives them. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_tools: Vec<String>,

    /// What LiteLLM's users read about the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

fn yes() -> bool {
    true
}

impl Default for LiteLlm {
    fn default() -> Self {
        Self {
            auto_register: true,
            allowed_user_groups: Vec::new(),
            allowed_tools: Vec::new(),
            description: None,
        }
    }
}
