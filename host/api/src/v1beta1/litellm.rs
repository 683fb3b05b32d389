//! Registration with LiteLLM.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::{LiteLlmAuth, LiteLlmLimits, LiteLlmToolParameters, ProtocolVersion};

/// Registration with LiteLLM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiteLlm {
    /// Whether the operator registers the server. Default: true.
    #[serde(default = "yes")]
    pub auto_register: bool,

    /// Access groups that the server belongs to in LiteLLM: `[developers, analysts]`. A LiteLLM
    /// administrator grants access groups to keys and teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub access_groups: Vec<String>,

    /// Tools that LiteLLM offers, by the names that the server gives them: `[search, get_issue]`.
    /// `[]`, and a list that names none of the server's tools: none. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 128)))]
    pub allowed_tools: Option<Vec<String>>,

    /// What LiteLLM's users read about the server: `Issues and pull requests`. No more than 2048
    /// characters: what all servers say has to fit into one file of LiteLLM. Default:
    /// `Auto-registered from MCPServer/<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub description: Option<String>,

    /// How LiteLLM authenticates to the server: with the value of its environment variable
    /// `MCP_TOKEN_` and the server's name in LiteLLM (`status.litellm.name`) in capital letters. For
    /// `oauth2ClientCredentials` there are two, `MCP_CLIENT_ID_` and `MCP_CLIENT_SECRET_`. Default: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<LiteLlmAuth>,

    /// How often and for how long LiteLLM calls the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LiteLlmLimits>,

    /// The parameters with which tools may be called, by tool: `[{tool: search, parameters: [query]}]`. LiteLLM refuses a
    /// call of one of these tools with any other. LiteLLM knows this in its configuration file only: with the registrar
    /// `litellm-admin-api` such a server is not registered. Default: all parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["tool".into()]))]
    #[schemars(length(max = 64))]
    pub allowed_parameters: Vec<LiteLlmToolParameters>,

    /// The revision of MCP that LiteLLM speaks to the server: `2026-07-28`, which is without sessions and never chosen by
    /// itself, for a server that knows nothing else. Not with transport `sse`. Default: `auto`, the newest before that
    /// which both know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<ProtocolVersion>,

    /// What LiteLLM tells agents about the use of the server, in place of what the server itself says. No more than 2048
    /// characters. Default: the server's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub instructions: Option<String>,
}

fn yes() -> bool {
    true
}

impl Default for LiteLlm {
    fn default() -> Self {
        Self {
            auto_register: true,
            access_groups: Vec::new(),
            allowed_tools: None,
            description: None,
            auth: None,
            limits: None,
            allowed_parameters: Vec::new(),
            protocol_version: None,
            instructions: None,
        }
    }
}
