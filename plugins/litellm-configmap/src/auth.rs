//! How LiteLLM authenticates to a server: with a credential from its own environment, which is in no file and no object.

use mcp_plugin_sdk::v1alpha1::LiteLlmAuthType;

/// `auth_type` of LiteLLM's configuration.
pub(crate) fn litellm_type(kind: LiteLlmAuthType) -> &'static str {
    match kind {
        LiteLlmAuthType::BearerToken => "bearer_token",
        LiteLlmAuthType::ApiKey => "api_key",
        LiteLlmAuthType::Basic => "basic",
        LiteLlmAuthType::Token => "token",
        LiteLlmAuthType::Authorization => "authorization",
    }
}

/// What LiteLLM replaces by the value of the server's variable.
///
/// Its name follows from the server's: whoever could choose it would be sent LiteLLM's own key. Names of servers are those
/// of Kubernetes objects, without capital letters, so that no two have one variable.
pub(crate) fn reference(name: &str) -> String {
    format!("os.environ/MCP_TOKEN_{}", name.to_ascii_uppercase())
}
