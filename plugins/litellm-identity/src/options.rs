//! How LiteLLM calls a server, as far as its MCPServer says.

use mcp_plugin_sdk::Server;
use mcp_plugin_sdk::v1alpha1::{LiteLlmLimits, LiteLlmToolParameters, ProtocolVersion};

use crate::Refusal;

/// What an MCPServer says about calls. By default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub limits: LiteLlmLimits,
    /// Empty: all parameters of all tools.
    pub allowed_parameters: Vec<LiteLlmToolParameters>,
    pub protocol_version: Option<ProtocolVersion>,
    pub instructions: Option<String>,
}

impl CallOptions {
    /// What a server says. One of which it cannot be read was refused before, and has no name.
    pub fn of(server: &Server) -> Self {
        Self::parse(server).unwrap_or_default()
    }

    /// The same, or what is not understood: LiteLLM would call the server otherwise than its team asks for.
    pub(crate) fn parse(server: &Server) -> Result<Self, Refusal> {
        if server.extra.is_empty() {
            return Ok(Self::default());
        }
        let unknown = |field: &'static str| {
            move |error: serde_json::Error| {
                let message = format!("spec.litellm.{field} is not understood: {error}");
                Refusal::new("OptionNotSupported", message)
            }
        };
        let parameters = server.allowed_parameters();
        Ok(Self {
            limits: server
                .limits()
                .map_err(unknown("limits"))?
                .unwrap_or_default(),
            allowed_parameters: parameters
                .map_err(unknown("allowedParameters"))?
                .unwrap_or_default(),
            protocol_version: server
                .protocol_version()
                .map_err(unknown("protocolVersion"))?,
            instructions: server.instructions().map_err(unknown("instructions"))?,
        })
    }
}
