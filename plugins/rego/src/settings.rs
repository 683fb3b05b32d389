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

impl Settings {
    /// Whether a module asks for what a stored server has not, itself or by rules of others: who sends the request, and what
    /// was before.
    pub(crate) fn needs(&self, module: &Module, word: &str) -> bool {
        let (mut reached, mut next) = (BTreeSet::new(), vec![module]);
        while let Some(module) = next.pop() {
            if module.says(word) {
                return true;
            }
            if reached.insert(&module.name) {
                let others = self.modules.iter();
                next.extend(others.filter(|other| module.may_ask(other)));
            }
        }
        false
    }

    /// Whether a module is about a request, of which this one tells nothing.
    pub(crate) fn lacks_requester(&self, module: &Module, request: &Request) -> bool {
        request.username.is_none() && self.needs(module, "userInfo")
    }
}

impl Module {
    fn code(&self) -> impl Iterator<Item = &str> {
        self.rego.lines().map(without_comment)
    }

    fn says(&self, word: &str) -> bool {
        self.code().any(|line| line.contains(word))
    }

    /// Whether it names the package of another one, or the first part of that; or something of `data` that is computed.
    fn may_ask(&self, other: &Self) -> bool {
        let mut packages = other
            .code()
            .filter_map(|line| line.trim().strip_prefix("package "));
        let package = packages.next().unwrap_or_default().trim();
        let first = package.split(['.', '[']).next().unwrap_or_default();
        self.says(&format!("data.{first}")) || self.says("data[")
    }
}

/// A line without its comment. What is in quotes is none.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut is_escaped) = (None, false);
    for (at, one) in line.char_indices() {
        match (quote, one) {
            (None, '#') => return &line[..at],
            (None, '"' | '`') => quote = Some(one),
            (Some('"'), '\\') if !is_escaped => {
                is_escaped = true;
                continue;
            }
            (Some(open), _) if open == one && !is_escaped => quote = None,
            _ => {}
        }
        is_escaped = false;
    }
    line
}

fn is_code(code: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&code.len())
        && code.bytes().all(is_inner)
        && !code.starts_with('-')
        && !code.ends_with('-')
}
