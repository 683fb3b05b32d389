//! `MCPPlugin.spec.settings`.

use std::collections::BTreeMap;

use mcp_operator_api::quantity::nano;
use mcp_plugin_sdk::v1alpha1::Resources;
use mcp_plugin_sdk::{Finding, Path};
use serde::Deserialize;

const CODES: [&str; 5] = [
    "default-resources",
    "pod-security",
    "read-only-root",
    "service-account-token",
    "standard-labels",
];

/// `MCPPlugin.spec.settings` of `compliance`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
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
        let unknown = unknown.map(|(index, code)| {
            Finding::not_supported("settings", Path::new("disabled").index(index), code, &CODES)
        });
        unknown.chain(self.misfits()).collect()
    }

    /// Default requests above the default limits: no server could run with both.
    fn misfits(&self) -> impl Iterator<Item = Finding> {
        let defaults = self.default_resources.iter();
        defaults.flat_map(|defaults| {
            defaults.requests.iter().filter_map(|(name, request)| {
                let limit = defaults.limits.get(name)?;
                let is_above = nano(&request.0)? > nano(&limit.0)?;
                let field = Path::new("defaultResources").child("requests").key(name);
                let message = format!("must be no more than the default limit, which is {limit}");
                is_above.then(|| Finding::invalid("settings", field, request, message))
            })
        })
    }
}
