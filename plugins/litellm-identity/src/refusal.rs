//! Why a server cannot be registered until a user changes it.

use mcp_plugin_sdk::v1alpha1::{LiteLlmAuth, LiteLlmAuthType, ProtocolVersion};
use mcp_plugin_sdk::{Registration, RegistrationState, Server};

use crate::CallOptions;

/// LiteLLM replaces a string in its configuration that begins like this by the value of one of its environment variables.
const ENVIRONMENT_PREFIX: &str = "os.environ/";

/// Why a server cannot be registered until a user changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: &'static str,
    message: String,
}

impl Refusal {
    /// `reason` is CamelCase; `message` is a sentence that says what to change.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// The state to report for the server.
    pub fn registration(self, server: &Server) -> Registration {
        Registration {
            server: server.key(),
            registered_name: String::new(),
            state: RegistrationState::Refused,
            reason: self.reason.into(),
            message: self.message,
        }
    }

    /// Refuses a server that would harm others: with one bad entry in its file LiteLLM does not start, and a reference to
    /// its environment would show its secrets to every user.
    pub(crate) fn check(server: &Server) -> Option<Self> {
        if !matches!(server.transport.as_str(), "http" | "sse") {
            let message = format!(
                "LiteLLM knows no transport {:?}: use http or sse",
                server.transport
            );
            return Some(Self::new("TransportNotSupported", message));
        }
        if !(server.url.starts_with("http://") || server.url.starts_with("https://")) {
            let message = format!("{:?} is no http:// or https:// URL", server.url);
            return Some(Self::new("InvalidUrl", message));
        }
        let auth = match server.auth() {
            Ok(auth) => auth,
            Err(error) => {
                let message = format!("spec.litellm.auth is not understood: {error}");
                return Some(Self::new("AuthNotSupported", message));
            }
        };
        let needs_url = |auth: &LiteLlmAuth| {
            auth.kind == LiteLlmAuthType::Oauth2ClientCredentials && auth.token_url.is_none()
        };
        if auth.as_ref().is_some_and(needs_url) {
            let message = "spec.litellm.auth.tokenUrl is required for oauth2ClientCredentials";
            return Some(Self::new("AuthNotSupported", message));
        }
        let options = match CallOptions::parse(server) {
            Ok(options) => options,
            Err(refusal) => return Some(refusal),
        };
        let is_modern = options.protocol_version == Some(ProtocolVersion::V20260728);
        if is_modern && server.transport == "sse" {
            let message = "spec.litellm.protocolVersion: 2026-07-28 is not spoken over the transport sse, and LiteLLM would not start with it";
            return Some(Self::new("ProtocolNotSupported", message));
        }
        let field = environment_reference(server, &options, auth.as_ref())?;
        let message = format!(
            "{field} must not begin with {ENVIRONMENT_PREFIX}: LiteLLM would show the value of that environment variable"
        );
        Some(Self::new("EnvironmentReference", message))
    }

    /// Another server that is not of the operator has the name in LiteLLM.
    pub fn name_taken(name: &str, holder: &str) -> Self {
        let message = format!(
            "LiteLLM has another MCP server with the name {name}, id {holder}: rename one of them"
        );
        Self::new("NameCollision", message)
    }

    /// LiteLLM knows the server and cannot reach it.
    pub fn unhealthy(name: &str, url: &str) -> Self {
        let message = format!("LiteLLM knows it as {name} and cannot reach {url}");
        Self::new("Unhealthy", message)
    }

    pub(crate) fn collision(owner: &Server, name: &str) -> Self {
        let message = format!(
            "MCPServer {} is older and has the same name in LiteLLM, {name}: rename one of them",
            owner.key()
        );
        Self::new("NameCollision", message)
    }
}

/// The first field that refers to LiteLLM's environment.
fn environment_reference(
    server: &Server,
    options: &CallOptions,
    auth: Option<&LiteLlmAuth>,
) -> Option<&'static str> {
    let is_reference = |text: &String| text.starts_with(ENVIRONMENT_PREFIX);
    let fields = [
        (
            "spec.litellm.description",
            is_reference(&server.description),
        ),
        (
            "spec.litellm.allowedUserGroups",
            server.access_groups.iter().any(is_reference),
        ),
        (
            "spec.litellm.allowedTools",
            server
                .tool_allowlist()
                .is_some_and(|tools| tools.iter().any(is_reference)),
        ),
        (
            "spec.litellm.instructions",
            options.instructions.iter().any(is_reference),
        ),
        ("spec.remote.url", is_reference(&server.url)),
        (
            "spec.litellm.auth",
            auth.is_some_and(|auth| {
                auth.token_url.iter().any(is_reference) || auth.scopes.iter().any(is_reference)
            }),
        ),
        (
            "spec.litellm.allowedParameters",
            options.allowed_parameters.iter().any(|allowed| {
                is_reference(&allowed.tool) || allowed.parameters.iter().any(is_reference)
            }),
        ),
    ];
    fields
        .into_iter()
        .find_map(|(field, found)| found.then_some(field))
}
