//! What a stored server breaks of the rules in force, in whatever mode these are.

use mcp_operator_api::v1alpha1::Mode;

use crate::admission::{Excepted, Finding, Outcome};

/// The most violations of one plugin that are kept of a server: people read some, and count servers.
const MOST_OF_A_PLUGIN: usize = 8;

/// One rule that a server breaks, is excepted from, or could not be judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the MCPPlugin.
    pub plugin: String,
    /// What its findings do.
    pub mode: Mode,
    /// The rule, as the plugin calls it; what failed, where it could not judge.
    pub code: String,
    /// Path in apimachinery's notation. Empty: the whole object.
    pub field: String,
    /// What is wrong, as an answer to the server's user says it.
    pub message: String,
    /// How the server stands to the rule.
    pub standing: Standing,
}

/// How a server stands to a rule that it does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// `enforce` would refuse it.
    Broken,
    /// It need not pass it for a while.
    Excepted(Excepted),
    /// The plugin ends on this server without an answer.
    Unjudged,
}

impl Violation {
    /// Whether `enforce` would refuse the server for it.
    pub fn is_broken(&self) -> bool {
        self.standing == Standing::Broken
    }
}

/// What plugins would refuse if they all were in `enforce`, what they would refuse but for an exception, and which of them
/// this server makes fail. Other warnings are none, whatever the mode is.
pub fn violations(outcomes: &[Outcome]) -> Vec<Violation> {
    let mut violations: Vec<Violation> = outcomes.iter().flat_map(of_plugin).collect();
    violations.sort_by(|a, b| {
        let key = |it: &Violation| (it.plugin.clone(), it.field.clone(), it.code.clone());
        key(a).cmp(&key(b))
    });
    violations
}

fn of_plugin(outcome: &Outcome) -> Vec<Violation> {
    let findings = match &outcome.result {
        Ok(findings) => findings,
        // What the operator itself has no time or memory for says nothing about the server.
        Err(failure) if !failure.guest => return Vec::new(),
        Err(failure) => {
            return vec![Violation {
                plugin: outcome.plugin.clone(),
                mode: outcome.mode,
                code: failure.category.to_owned(),
                field: String::new(),
                message: failure.message.clone(),
                standing: Standing::Unjudged,
            }];
        }
    };
    let broken = findings.iter().filter(|finding| !finding.warning);
    let broken = broken.map(|finding| violation(outcome, finding, Standing::Broken));
    let excepted = findings.iter().filter_map(|finding| {
        let excepted = finding.excepted.clone()?;
        Some(violation(outcome, finding, Standing::Excepted(excepted)))
    });
    broken.chain(excepted).take(MOST_OF_A_PLUGIN).collect()
}

fn violation(outcome: &Outcome, finding: &Finding, standing: Standing) -> Violation {
    Violation {
        plugin: outcome.plugin.clone(),
        mode: outcome.mode,
        code: finding.error.code.clone(),
        field: finding.error.field.clone(),
        message: finding.error.to_string(),
        standing,
    }
}

#[cfg(test)]
mod tests {
    use mcp_operator_api::v1alpha1::{FailurePolicy, OnExisting};

    use super::*;
    use crate::admission::PluginFailure;
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
        Finding {
            error,
            warning,
            excepted: None,
        }
    }

    fn excepted(field: &str) -> Finding {
        Finding {
            excepted: Some(Excepted {
                owner: "ann".into(),
                until: "2027-01-31T00:00:00Z".into(),
            }),
            ..finding(field, true)
        }
    }

    #[test]
    fn every_mode_counts_and_warnings_do_not() {
        for mode in [Mode::Enforce, Mode::Warn, Mode::Audit] {
            let findings = vec![finding("b", false), finding("a", false), finding("c", true)];
            let found = violations(&[outcome(mode, Ok(findings))]);
            let fields: Vec<&str> = found.iter().map(|it| it.field.as_str()).collect();
            assert_eq!(fields, ["a", "b"]);
            assert_eq!(found[0].message, "a: Required value: say who");
            assert_eq!(found[0].mode, mode);
            assert!(found[0].is_broken());
        }
    }

    #[test]
    fn what_is_excepted_is_told_and_not_broken() {
        let found = violations(&[outcome(Mode::Enforce, Ok(vec![excepted("a")]))]);
        assert!(matches!(&found[0].standing, Standing::Excepted(it) if it.owner == "ann"));
        assert!(!found[0].is_broken());
    }

    /// Its own failures say nothing about a server.
    #[test]
    fn what_a_server_does_to_a_plugin_is_told_and_what_the_operator_does_is_not() {
        let failure = |guest| PluginFailure {
            category: "Trapped",
            guest,
            message: "it trapped".into(),
        };
        let found = violations(&[outcome(Mode::Warn, Err(failure(true)))]);
        assert_eq!(found[0].standing, Standing::Unjudged);
        assert_eq!(found[0].code, "Trapped");
        assert!(!found[0].is_broken());
        assert_eq!(violations(&[outcome(Mode::Warn, Err(failure(false)))]), []);
    }

    #[test]
    fn a_server_with_ten_thousand_faults_is_kept_small_and_says_what_is_broken() {
        let mut findings = vec![excepted("e"); 100];
        findings.extend((0..100).map(|index| finding(&format!("f{index}"), false)));
        let found = violations(&[outcome(Mode::Audit, Ok(findings))]);
        assert_eq!(found.len(), MOST_OF_A_PLUGIN);
        assert!(found.iter().all(Violation::is_broken));
    }
}
