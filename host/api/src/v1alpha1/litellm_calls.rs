//! How LiteLLM calls a server.

use serde::{Deserialize, Serialize};

/// How often and for how long LiteLLM calls a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LiteLlmLimits {
    /// Requests in a minute, of all callers together: calls of tools, and lists of them. LiteLLM refuses further ones (429).
    /// No more than 1000000. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 1_000_000)))]
    pub requests_per_minute: Option<i32>,

    /// Calls of tools that run at the same time, in each process of LiteLLM; further ones wait. No more than 10000.
    /// Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 10_000)))]
    pub max_concurrent_requests: Option<i32>,

    /// Seconds that a request may take before LiteLLM gives up. No more than 3600. Default: LiteLLM's own, 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 3600)))]
    pub timeout_seconds: Option<i32>,
}

/// The parameters with which a tool may be called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub struct LiteLlmToolParameters {
    /// The tool, by the name that the server gives it: `search`.
    #[cfg_attr(feature = "crd", schemars(length(min = 1, max = 128)))]
    pub tool: String,

    /// Names of its parameters that may be given: `[query, limit]`. `[]`: none.
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 64), inner(length(min = 1, max = 128)))
    )]
    pub parameters: Vec<String>,
}

/// The revision of MCP that LiteLLM speaks to the server: `2026-07-28`, which is without sessions and never chosen by
/// itself, for a server that knows nothing else. Not with transport `sse`. Default: `auto`, the newest before that which both
/// know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
pub enum ProtocolVersion {
    /// The newest before 2026-07-28 that both know.
    #[serde(rename = "auto")]
    Auto,
    /// The first one.
    #[serde(rename = "2024-11-05")]
    V20241105,
    /// The first with streamable HTTP.
    #[serde(rename = "2025-03-26")]
    V20250326,
    /// The third.
    #[serde(rename = "2025-06-18")]
    V20250618,
    /// The last one with sessions.
    #[serde(rename = "2025-11-25")]
    V20251125,
    /// The one without sessions.
    #[serde(rename = "2026-07-28")]
    V20260728,
}

impl ProtocolVersion {
    /// The word used in manifests and in LiteLLM's configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::V20241105 => "2024-11-05",
            Self::V20250326 => "2025-03-26",
            Self::V20250618 => "2025-06-18",
            Self::V20251125 => "2025-11-25",
            Self::V20260728 => "2026-07-28",
        }
    }
}
