//! `MCPPlugin.spec.settings`.

use std::collections::BTreeSet;

use mcp_plugin_sdk::{Finding, Path, Request};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::engine::Engine;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) modules: Vec<Module>,
    /// What modules call `data`, besides the rules of each other.
    #[serde(default)]
    pub(crate) data: Map<String, Value>,
    /// The syntax of all modules.
    #[serde(default)]
    pub(crate) rego_version: RegoVersion,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Module {
    /// Code of its findings.
    pub(crate) name: String,
    /// Its text, with the package.
    pub(crate) rego: String,
    /// `input.parameters`, as a constraint of Gatekeeper gives them.
    #[serde(default)]
    pub(crate) parameters: Map<String, Value>,
}

/// Gatekeeper's templates are in v0 unless they say otherwise; conftest has v1 since 0.60.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RegoVersion {
    #[default]
    V0,
    V1,
}

impl Settings {
    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.modules.is_empty() {
            let message = "give the modules, as in [{name: labels, rego: \"package labels ...\"}]";
            findings.push(Finding::required("settings", "modules", message));
        }
        let mut names = BTreeSet::new();
        for (index, module) in self.modules.iter().enumerate() {
            let field = Path::new("modules").index(index).child("name");
            if !is_code(&module.name) {
                let message =
                    "must be lower-case letters, digits and `-`, at most 63, as in required-labels";
                findings.push(Finding::invalid(
                    "settings",
                    field.clone(),
                    &module.name,
                    message,
                ));
            }
            if !names.insert(&module.name) {
                let message = "is the name of another module";
                findings.push(Finding::invalid("settings", field, &module.name, message));
            }
        }
        if !findings.is_empty() {
            return findings;
        }
        match Engine::new(self) {
            Ok(mut engine) => findings.extend(engine.rehearse(self)),
            Err(error) => findings.push(error.finding(self)),
        }
        findings
    }
}

impl Module {
    /// Whether it asks for what a stored server has not: who sends the request, and what was before.
    pub(crate) fn needs(&self, word: &str) -> bool {
        self.rego
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default())
            .any(|line| line.contains(word))
    }

    /// Whether it is about a request, of which this one tells nothing.
    pub(crate) fn lacks_requester(&self, request: &Request) -> bool {
        request.username.is_none() && self.needs("userInfo")
    }
}

fn is_code(code: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&code.len())
        && code.bytes().all(is_inner)
        && !code.starts_with('-')
        && !code.ends_with('-')
}
