//! Registration with LiteLLM.

use serde::{Deserialize, Serialize};

/// Registration with LiteLLM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LiteLlm {
    /// Whether the operator registers the server. Default: true.
    #[serde(default = "yes")]
    pub auto_register: bool,

    /// Access groups that the server belongs to in LiteLLM: `[developers, analysts]`. A LiteLLM
    /// administrator grants access groups to keys and teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 64), inner(length(min = 1, max = 128)))
    )]
    pub allowed_user_groups: Vec<String>,

    /// Tools that LiteLLM offers, by the names that the server gives them: `[search, get_issue]`.
    /// `[]`, and a list that names none of the server's tools: none. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 256), inner(length(min = 1, max = 128)))
    )]
    pub allowed_tools: Option<Vec<String>>,

    /// What LiteLLM's users read about the server: `Issues and pull requests`. No more than 2048
    /// characters: what all servers say has to fit into one file of LiteLLM. Default:
    /// `Auto-registered from MCPServer/<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 2048)))]
    pub description: Option<String>,

    /// How LiteLLM authenticates to the server: with the value of its environment variable
    /// `MCP_TOKEN_` and the server's name in LiteLLM (`status.litellm.name`) in capital letters.
    /// Default: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<LiteLlmAuth>,
}

/// How LiteLLM authenticates to a server.
///
/// The credential is in an environment variable of LiteLLM, which a LiteLLM administrator sets, and
/// nowhere else. The variable's name follows from the server's and cannot be chosen, so that no
/// server is sent what is not meant for it: `tools_weather` gets `MCP_TOKEN_TOOLS_WEATHER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LiteLlmAuth {
    /// What LiteLLM sends with the credential.
    #[serde(rename = "type")]
    pub kind: LiteLlmAuthType,
}

/// What LiteLLM sends with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum LiteLlmAuthType {
    /// `Authorization: Bearer <credential>`.
    BearerToken,
    /// `X-API-Key: <credential>`.
    ApiKey,
    /// `Authorization: Basic <credential>`; LiteLLM encodes `user:password`.
    Basic,
    /// `Authorization: token <credential>`.
    Token,
    /// `Authorization: <credential>`.
    Authorization,
}

fn yes() -> bool {
    true
}

impl Default for LiteLlm {
    fn default() -> Self {
        Self {
            auto_register: true,
            allowed_user_groups: Vec::new(),
            allowed_tools: None,
            description: None,
            auth: None,
        }
    }
}
