//! `MCPPlugin.spec.settings`.

use std::ops::RangeInclusive;

use mcp_plugin_sdk::Finding;
use serde::Deserialize;

/// At least one for each kind of request; more than this would not fit into the answer of one call.
const REQUESTS_PER_PASS: RangeInclusive<usize> = 3..=1000;

/// The connection to LiteLLM, and how it is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Name of the connection in `MCPPlugin.spec.connections`.
    pub(crate) connection: String,
    /// The most requests of one plan, reads not counted. Each kind (`DELETE`, `PUT`, `POST`) has a share of them.
    pub(crate) requests_per_pass: usize,
    /// Report a server as not registered if LiteLLM cannot reach it. LiteLLM then connects to all its servers for every plan.
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
        if !REQUESTS_PER_PASS.contains(&self.requests_per_pass) {
            findings.push(Finding::invalid(
                "settings",
                "requestsPerPass",
                self.requests_per_pass,
                format!(
                    "must be from {} to {}",
                    REQUESTS_PER_PASS.start(),
                    REQUESTS_PER_PASS.end()
                ),
            ));
        }
        findings
    }
}
