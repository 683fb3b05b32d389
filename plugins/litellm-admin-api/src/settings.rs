//! `MCPPlugin.spec.settings`.

use std::ops::RangeInclusive;

use mcp_plugin_sdk::Finding;
use serde::Deserialize;

/// One for each kind of request at least; more would not fit into the answer of one call.
const REQUESTS: RangeInclusive<usize> = 3..=1000;

/// How LiteLLM is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Name of the connection in `MCPPlugin.spec.connections`.
    pub(crate) connection: String,
    /// Requests that change something, at most, in one pass. Each kind (`DELETE`, `PUT`, `POST`) has a share.
    pub(crate) requests_per_pass: usize,
    /// Say of a server that it is not registered when LiteLLM cannot reach it. For that LiteLLM tries all its servers in
    /// each pass.
    pub(crate) verify_health: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connection: "litellm".into(),
            requests_per_pass: 200,
            verify_health: false,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.connection.is_empty() {
            findings.push(Finding::required(
                "settings",
                "connection",
                "must name an entry of spec.connections",
            ));
        }
        if !REQUESTS.contains(&self.requests_per_pass) {
            findings.push(Finding::invalid(
                "settings",
                "requestsPerPass",
                self.requests_per_pass,
                format!("must be from {} to {}", REQUESTS.start(), REQUESTS.end()),
            ));
        }
        findings
    }
}
