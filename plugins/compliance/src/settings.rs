//! `MCPPlugin.spec.settings`.

use std::collections::BTreeMap;

use mcp_plugin_sdk::v1alpha1::Resources;
use mcp_plugin_sdk::{Finding, Path};
use serde::Deserialize;

const CODES: [&str; 6] = [
    "default-resources",
    "pod-security",
    "read-only-root",
    "probes",
    "service-account-token",
    "standard-labels",
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Requests and limits for MCPServers that have none. Without this setting there are no defaults, and the rule
    /// `resource-limits` refuses such a server.
    pub(crate) default_resources: Option<Resources>,
    /// More labels for all generated objects.
    pub(crate) labels: BTreeMap<String, String>,
    /// Codes of the defaults that are switched off.
    pub(crate) disabled: Vec<String>,
}

impl Settings {
    pub(crate) fn is_enabled(&self, code: &str) -> bool {
        !self.disabled.iter().any(|disabled| disabled == code)
    }

    pub(crate) fn check(&self) -> Vec<Finding> {
        let unknown = self
            .disabled
            .iter()
            .enumerate()
            .filter(|(_, code)| !CODES.contains(&code.as_str()));
        unknown
            .map(|(index, code)| {
                Finding::not_supported("settings", Path::new("disabled").index(index), code, &CODES)
            })
            .collect()
    }
}
