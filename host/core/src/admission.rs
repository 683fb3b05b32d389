//! The answer to an admission request, decided from the outcomes of plugins and the rules of the operator itself.

use std::collections::{BTreeMap, BTreeSet};

use mcp_operator_api::v1alpha1::{FailurePolicy, McpServerSpec, Mode, OnExisting};
use serde_json::Value;

use crate::build;
use crate::field::FieldError;
use crate::remote;

/// The answer of one plugin about one object.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Name of the MCPPlugin.
    pub plugin: String,
    /// What its findings do.
    pub mode: Mode,
    /// What its own failure does.
    pub failure_policy: FailurePolicy,
    /// What its findings do to a server that is registered.
    pub on_existing: OnExisting,
    /// The findings, or why there are none.
    pub result: Result<Vec<Finding>, PluginFailure>,
}

/// One thing that a plugin finds in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub error: FieldError,
    /// Whether it is only a warning, whatever the plugin's mode is.
    pub warning: bool,
    /// Why it is one that would be an error otherwise.
    pub excepted: Option<Excepted>,
}

/// Who answers for an exception from a rule, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excepted {
    /// A team, a person, a ticket.
    pub owner: String,
    /// Its end, as it was written.
    pub until: String,
}

/// A plugin could not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFailure {
    /// Stable word for metrics and conditions, for example `DeadlineExceeded`.
    pub category: &'static str,
    /// Whether it is the fault of the component, not of the operator: something that an object can bring about.
    pub guest: bool,
    /// A sentence that names the plugin.
    pub message: String,
}

impl PluginFailure {
    /// What refuses the object because of this failure, if something does.
    ///
    /// In the modes `warn` and `audit` no plugin refuses anything, whether it answers or fails. `Ignore` covers what is the
    /// operator's fault: whoever writes an object chooses what it does to a plugin, and would choose that no rule is asked.
    pub fn refusal(&self, mode: Mode, policy: FailurePolicy) -> Option<Self> {
        match (mode, policy) {
            (Mode::Enforce, FailurePolicy::Fail) => Some(self.clone()),
            (Mode::Enforce, FailurePolicy::Ignore) if self.guest => Some(Self {
                message: format!(
                    "{} (failurePolicy Ignore covers failures of the operator, not what an object does to a plugin)",
                    self.message
                ),
                ..self.clone()
            }),
            _ => None,
        }
    }
}

/// Whether the object is admitted, with the warnings and audit annotations of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Absent for an object that is admitted.
    pub denial: Option<Denial>,
    /// Shown to the user, sorted.
    pub warnings: Vec<String>,
    /// Audit annotations: the findings by `<plugin>.<code>`.
    pub audit: BTreeMap<String, String>,
    /// The plugins that have answered, sorted.
    pub answered: BTreeSet<String>,
}

/// Why an object is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It breaks rules: all of them, sorted, each once.
    Invalid(Vec<FieldError>),
    /// Plugins that must not fail have failed, or are not loaded.
    PluginFailed(Vec<PluginFailure>),
}

/// What no object can be built from, whatever rules plugins have: the API server would refuse it later, where its user would
/// look for the mistake last, or would do what nobody may allow. `object` is an MCPServer as JSON.
pub fn unbuildable(object: &Value) -> Vec<Finding> {
    let spec = &object["spec"];
    let config = spec["config"].as_object();
    let mut errors = config
        .and_then(|config| build::config_file(config).err())
        .unwrap_or_default();
    let egress = spec["networkPolicy"]["egress"].as_array();
    let cidrs = egress.into_iter().flatten();
    errors.extend(build::egress_errors(
        cidrs.map(|rule| rule["cidr"].as_str()),
    ));
    let selector = spec["nodeSelector"].as_object();
    errors.extend(build::node_selector_errors(
        selector.into_iter().flat_map(|selector| selector.keys()),
    ));
    // What cannot be read is the schema's business.
    let typed = serde_json::from_value::<McpServerSpec>(spec.clone());
    errors.extend(typed.iter().flat_map(remote::errors));
    refusals(errors)
}

/// What [`crate::validated_server::ValidatedServer::parse`] says, as findings.
pub fn refusals(errors: Vec<FieldError>) -> Vec<Finding> {
    let finding = |error| Finding {
        error,
        warning: false,
        excepted: None,
    };
    errors.into_iter().map(finding).collect()
}

/// Decides about an object. The order of the outcomes does not matter.
pub fn decide(outcomes: &[Outcome]) -> Decision {
    let mut errors = Vec::new();
    let mut failures = Vec::new();
    let mut decision = Decision::default();
    let mut notes = AuditNotes::default();
    for outcome in outcomes {
        match &outcome.result {
            Ok(findings) => {
                decision.answered.insert(outcome.plugin.clone());
                for finding in findings {
                    decision.record(outcome, finding, &mut errors, &mut notes);
                }
            }
            Err(failure) => match failure.refusal(outcome.mode, outcome.failure_policy) {
                Some(refusal) => failures.push(refusal),
                None => decision.note_failure(outcome, failure, &mut notes),
            },
        }
    }
    decision.audit = notes.joined();
    errors.sort_by(FieldError::cmp_shown);
    errors.dedup();
    failures.sort_by(|a, b| a.message.cmp(&b.message));
    if errors.is_empty() {
        decision.denial = (!failures.is_empty()).then_some(Denial::PluginFailed(failures));
    } else {
        // The user has to correct the object anyway; a plugin that still fails then is reported again.
        decision
            .warnings
            .extend(failures.into_iter().map(|failure| failure.message));
        decision.denial = Some(Denial::Invalid(errors));
    }
    decision.warnings.sort();
    decision.warnings.dedup();
    decision
}

/// What happens to the registration of a server that is refused: what the strictest of the plugins wants that refuse it.
pub fn on_existing(outcomes: &[Outcome]) -> OnExisting {
    let refusing = outcomes.iter().filter(|outcome| {
        let findings = outcome.result.as_deref().unwrap_or_default();
        outcome.mode == Mode::Enforce && findings.iter().any(|finding| !finding.warning)
    });
    let wanted = refusing.map(|outcome| outcome.on_existing).max();
    wanted.unwrap_or(OnExisting::Keep)
}

impl Decision {
    fn record(
        &mut self,
        outcome: &Outcome,
        finding: &Finding,
        errors: &mut Vec<FieldError>,
        notes: &mut AuditNotes,
    ) {
        let error = finding.error.to_string();
        let rule = &finding.error.code;
        match outcome.mode {
            Mode::Enforce if !finding.warning => errors.push(finding.error.clone()),
            Mode::Enforce | Mode::Warn => self
                .warnings
                .push(format!("{error} ({}/{rule})", outcome.plugin)),
            Mode::Audit => {}
        }
        notes.add(format!("{}.{rule}", outcome.plugin), error);
    }

    fn note_failure(&mut self, outcome: &Outcome, failure: &PluginFailure, notes: &mut AuditNotes) {
        if outcome.mode != Mode::Audit {
            self.warnings.push(failure.message.clone());
        }
        notes.add(
            format!("{}.failure", outcome.plugin),
            failure.message.clone(),
        );
    }
}

/// Audit annotations under construction. Several findings of one rule share an annotation, sorted and without duplicates.
#[derive(Default)]
struct AuditNotes(BTreeMap<String, BTreeSet<String>>);

impl AuditNotes {
    fn add(&mut self, key: String, text: String) {
        self.0.entry(key).or_default().insert(text);
    }

    fn joined(self) -> BTreeMap<String, String> {
        let join = |texts: BTreeSet<String>| texts.into_iter().collect::<Vec<_>>().join("\n");
        self.0
            .into_iter()
            .map(|(key, texts)| (key, join(texts)))
            .collect()
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
