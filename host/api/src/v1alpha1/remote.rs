//! A server that runs elsewhere.

use serde::{Deserialize, Serialize};

/// A server that runs elsewhere: it is registered, and has no pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct Remote {
    /// URL of its MCP endpoint with the path, as LiteLLM is to call it: `https://mcp.example.com/mcp`. It begins with
    /// `https://`, holds no credential (`litellm.auth` is for that) and is no address of the cluster or of a private
    /// network, unless the platform allows that for the namespace. No more than 1024 characters.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 1024)))]
    pub url: String,
}
