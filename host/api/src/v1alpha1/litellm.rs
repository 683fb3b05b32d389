//! Registration with LiteLLM.

use serde::{Deserialize, Serialize};

use super::{LiteLlmLimits, LiteLlmToolParameters, ProtocolVersion};

/// Registration with LiteLLM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
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
    #[cfg_attr(feature = "crd", x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["tool".into()])))]
    #[cfg_attr(feature = "crd", schemars(length(max = 64)))]
    pub allowed_parameters: Vec<LiteLlmToolParameters>,

    /// The revision of MCP that LiteLLM speaks to the server: `2026-07-28`, which is without sessions and never chosen by
    /// itself, for a server that knows nothing else. Not with transport `sse`. Default: `auto`, the newest before that
    /// which both know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<ProtocolVersion>,

    /// What LiteLLM tells agents about the use of the server, in place of what the server itself says. No more than 2048
    /// characters. Default: the server's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 2048)))]
    pub instructions: Option<String>,
}

/// How LiteLLM authenticates to a server.
///
/// The credential is in an environment variable of LiteLLM, which a LiteLLM administrator sets, and
/// nowhere else. The variable's name follows from the server's and cannot be chosen, so that no
/// server is sent what is not meant for it: `tools_weather` gets `MCP_TOKEN_TOOLS_WEATHER`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("(self.type == 'oauth2ClientCredentials') == has(self.tokenUrl)")
        .message("goes with type oauth2ClientCredentials, and with that alone")
        .field_path(".tokenUrl"),
        validation = kube::core::Rule::new("self.type == 'oauth2ClientCredentials' || !has(self.scopes)")
        .message("goes with type oauth2ClientCredentials alone")
        .field_path(".scopes"))
)]
#[serde(rename_all = "camelCase")]
pub struct LiteLlmAuth {
    /// What LiteLLM sends with the credential.
    #[serde(rename = "type")]
    pub kind: LiteLlmAuthType,

    /// For `oauth2ClientCredentials`: where LiteLLM gets a token for its id and its secret. The same is allowed as for
    /// `remote.url`: `https://login.example.com/oauth2/token`. No more than 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 1024)))]
    pub token_url: Option<String>,

    /// For `oauth2ClientCredentials`: the scopes that LiteLLM asks for. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 32), inner(length(min = 1, max = 256)))
    )]
    pub scopes: Vec<String>,
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
    /// `Authorization: Bearer <token>`, with a token that LiteLLM gets for a client id and a client secret (OAuth 2.0, without
    /// a person).
    Oauth2ClientCredentials,
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
            limits: None,
            allowed_parameters: Vec::new(),
            protocol_version: None,
            instructions: None,
        }
    }
}
