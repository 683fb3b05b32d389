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
        LiteLlmAuthType::Oauth2ClientCredentials => "oauth2",
    }
}

/// The variables that a credential of this type is in, each by its key in LiteLLM's configuration.
pub(crate) fn variables(kind: LiteLlmAuthType) -> &'static [(&'static str, &'static str)] {
    match kind {
        LiteLlmAuthType::Oauth2ClientCredentials => &[
            ("client_id", "MCP_CLIENT_ID_"),
            ("client_secret", "MCP_CLIENT_SECRET_"),
        ],
        _ => &[("authentication_token", "MCP_TOKEN_")],
    }
}

/// The string that LiteLLM replaces by the value of the server's environment variable.
///
/// The name of the variable follows from the name of the server in LiteLLM, and so from its namespace and its name alone. A
/// user who could choose it could have LiteLLM's own key sent to the server. No two servers have one name, and names have no
/// capital letters, so no two servers share a variable.
pub(crate) fn reference(prefix: &str, name: &str) -> String {
    format!("os.environ/{prefix}{}", name.to_ascii_uppercase())
}
