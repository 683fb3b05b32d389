//! From what plugins say to what the user is told.

use std::collections::{BTreeMap, BTreeSet};

use mcp_operator_api::v1alpha1::{FailurePolicy, Mode};

use crate::field::FieldError;

/// What one plugin made of one object.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Name of the MCPPlugin.
    pub plugin: String,
    /// What its findings do.
    pub mode: Mode,
    /// What its own failure does.
    pub failure_policy: FailurePolicy,
    /// Its findings, or why there are none.
    pub result: Result<Vec<Finding>, PluginFailure>,
}

/// One thing that a plugin says about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What and where.
    pub error: FieldError,
    /// Only a warning, whatever the plugin's mode is.
    pub warning: bool,
}

/// A plugin could not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFailure {
    /// Stable word for metrics and conditions, for example `DeadlineExceeded`.
    pub category: &'static str,
    /// Whose fault it is: the component's (true) or the operator's.
    pub guest: bool,
    /// What happened, one sentence that names the plugin.
    pub message: String,
}

/// What happens to the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Why it is refused; absent: it is allowed.
    pub denial: Option<Denial>,
    /// What the user is shown besides, sorted.
    pub warnings: Vec<String>,
    /// What goes into the audit log: by `<plugin>.<code>`, what was found.
    pub audit: BTreeMap<String, String>,
}

/// Why an object is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It breaks rules: all of them, sorted, each once.
    Invalid(Vec<FieldError>),
    /// It may be in order, but a plugin that must agree could not be asked.
    PluginFailed(Vec<PluginFailure>),
}

/// Decides. The order of the outcomes does not matter.
pub fn decide(outcomes: &[Outcome]) -> Decision {
    let mut errors = Vec::new();
    let mut failures = Vec::new();
    let mut decision = Decision::default();
    let mut notes = Notes::default();
    for outcome in outcomes {
        match &outcome.result {
            Ok(findings) => {
                for finding in findings {
                    decision.record(outcome, finding, &mut errors, &mut notes);
                }
            }
            Err(failure) if refuses(outcome) => failures.push(failure.clone()),
            Err(failure) => decision.note_failure(outcome, failure, &mut notes),
        }
    }
    decision.audit = notes.joined();
    errors.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    errors.dedup();
    failures.sort_by(|a, b| a.message.cmp(&b.message));
    if errors.is_empty() {
        decision.denial = (!failures.is_empty()).then_some(Denial::PluginFailed(failures));
    } else {
        // The user mends the object first; a failing plugin shows again when it is sent again.
        decision
            .warnings
            .extend(failures.into_iter().map(|failure| failure.message));
        decision.denial = Some(Denial::Invalid(errors));
    }
    decision.warnings.sort();
    decision.warnings.dedup();
    decision
}

/// In the modes `warn` and `audit` nothing that a plugin does or fails to do blocks anybody.
fn refuses(outcome: &Outcome) -> bool {
    outcome.mode == Mode::Enforce && outcome.failure_policy == FailurePolicy::Fail
}

impl Decision {
    fn record(
        &mut self,
        outcome: &Outcome,
        finding: &Finding,
        errors: &mut Vec<FieldError>,
        notes: &mut Notes,
    ) {
        let said = finding.error.to_string();
        let rule = &finding.error.code;
        match outcome.mode {
            Mode::Enforce if !finding.warning => errors.push(finding.error.clone()),
            Mode::Enforce | Mode::Warn => self
                .warnings
                .push(format!("{said} ({}/{rule})", outcome.plugin)),
            Mode::Audit => {}
        }
        notes.add(format!("{}.{rule}", outcome.plugin), said);
    }

    fn note_failure(&mut self, outcome: &Outcome, failure: &PluginFailure, notes: &mut Notes) {
        if outcome.mode != Mode::Audit {
            self.warnings.push(failure.message.clone());
        }
        notes.add(
            format!("{}.failure", outcome.plugin),
            failure.message.clone(),
        );
    }
}

/// What goes into the audit log. Several findings of one rule are kept in one annotation, sorted, each once.
#[derive(Default)]
struct Notes(BTreeMap<String, BTreeSet<String>>);

impl Notes {
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
