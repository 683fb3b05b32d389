//! What a stored server breaks of the rules in force, in whatever mode these are.

use mcp_operator_api::v1alpha1::Mode;

use crate::admission::Outcome;

/// The most violations of one plugin that are kept of a server: people read some, and count servers.
const MOST_OF_A_PLUGIN: usize = 8;

/// One rule that a server breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the MCPPlugin.
    pub plugin: String,
    /// What its findings do.
    pub mode: Mode,
    /// The rule, as the plugin calls it.
    pub code: String,
    /// Path in apimachinery's notation. Empty: the whole object.
    pub field: String,
    /// What is wrong, as an answer to the server's user says it.
    pub message: String,
}

/// What plugins would refuse if they all were in `enforce`. Warnings are none, whatever the mode is.
pub fn violations(outcomes: &[Outcome]) -> Vec<Violation> {
    let of_plugin = |outcome: &Outcome| -> Vec<Violation> {
        let findings = outcome.result.as_deref().unwrap_or_default().iter();
        let errors = findings.filter(|finding| !finding.warning);
        let violation = errors.map(|finding| Violation {
            plugin: outcome.plugin.clone(),
            mode: outcome.mode,
            code: finding.error.code.clone(),
            field: finding.error.field.clone(),
            message: finding.error.to_string(),
        });
        violation.take(MOST_OF_A_PLUGIN).collect()
    };
    let mut violations: Vec<Violation> = outcomes.iter().flat_map(of_plugin).collect();
    violations.sort_by(|a, b| {
        let key = |it: &Violation| (it.plugin.clone(), it.field.clone(), it.code.clone());
        key(a).cmp(&key(b))
    });
    violations
}

#[cfg(test)]
mod tests {
    use mcp_operator_api::v1alpha1::{FailurePolicy, OnExisting};

    use super::*;
    use crate::admission::{Finding, PluginFailure};
    use crate::field::{ErrorType, FieldError};

    fn outcome(mode: Mode, result: Result<Vec<Finding>, PluginFailure>) -> Outcome {
        Outcome {
            plugin: "rule".into(),
            mode,
            failure_policy: FailurePolicy::Fail,
            on_existing: OnExisting::Keep,
            result,
        }
    }

    fn finding(field: &str, warning: bool) -> Finding {
        let error = FieldError {
            field: field.into(),
            error_type: ErrorType::Required,
            bad_value: None,
            message: "say who".into(),
            code: "owner".into(),
        };
        Finding { error, warning }
    }

    #[test]
    fn every_mode_counts_and_warnings_and_failures_do_not() {
        for mode in [Mode::Enforce, Mode::Warn, Mode::Audit] {
            let findings = vec![finding("b", false), finding("a", false), finding("c", true)];
            let found = violations(&[outcome(mode, Ok(findings))]);
            let fields: Vec<&str> = found.iter().map(|it| it.field.as_str()).collect();
            assert_eq!(fields, ["a", "b"]);
            assert_eq!(found[0].message, "a: Required value: say who");
            assert_eq!(found[0].mode, mode);
        }
        let failure = PluginFailure {
            category: "Trapped",
            guest: true,
            message: "it trapped".into(),
        };
        assert_eq!(violations(&[outcome(Mode::Warn, Err(failure))]), []);
    }

    #[test]
    fn a_server_with_ten_thousand_faults_is_kept_small() {
        let findings = (0..100).map(|index| finding(&format!("f{index}"), false));
        let found = violations(&[outcome(Mode::Audit, Ok(findings.collect()))]);
        assert_eq!(found.len(), MOST_OF_A_PLUGIN);
    }
}
