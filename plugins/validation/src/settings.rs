//! `MCPPlugin.spec.settings`.

use mcp_plugin_sdk::{Finding, Path};
use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Registries besides Amazon ECR, with or without the beginning of a path: `ghcr.io/acme`. `*` allows all.
    pub allowed_registries: Vec<String>,
    pub ecr: Ecr,
    /// Codes of rules that are switched off.
    pub disabled_rules: Vec<String>,
}

/// Private registries of Amazon: `<account>.dkr.ecr.<region>.amazonaws.com`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ecr {
    pub enabled: bool,
    /// Approved accounts; an empty list approves none, `*` all. Anybody can have an account, with a registry that everybody
    /// may read.
    pub accounts: Vec<String>,
    /// Approved regions; an empty list approves all.
    pub regions: Vec<String>,
}

impl Default for Ecr {
    fn default() -> Self {
        Self {
            enabled: true,
            accounts: Vec::new(),
            regions: Vec::new(),
        }
    }
}

impl Settings {
    /// `codes` are those of all rules.
    pub(crate) fn check(&self, codes: &[&str]) -> Vec<Finding> {
        let registries =
            self.allowed_registries
                .iter()
                .enumerate()
                .filter_map(|(index, registry)| {
                    let field = Path::new("allowedRegistries").index(index);
                    let complaint = if registry.is_empty() {
                        "must not be empty; `*` allows every registry"
                    } else if registry.contains("://") {
                        "must be a registry without a scheme, for example `ghcr.io/acme`"
                    } else {
                        return None;
                    };
                    Some(Finding::invalid("settings", field, registry, complaint))
                });
        let rules = self
            .disabled_rules
            .iter()
            .enumerate()
            .filter_map(|(index, code)| {
                let field = Path::new("disabledRules").index(index);
                (!codes.contains(&code.as_str()))
                    .then(|| Finding::not_supported("settings", field, code, codes))
            });
        registries.chain(rules).collect()
    }
}
