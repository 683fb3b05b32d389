//! Values that no answer shows. Denials and audit annotations go into logs that others read, and a secret that somebody typed
//! into a value would stay there.

use mcp_operator_core::admission::Outcome;
use serde_json::Value;

/// A shorter text says nothing, and is a part of many words.
const SHORTEST: usize = 4;

/// Takes the values of environment variables and of the configuration out of what plugins say.
pub(crate) fn hide(outcomes: &mut [Outcome]) {
    let findings = outcomes.iter_mut().flat_map(|outcome| &mut outcome.result);
    for finding in findings.flatten() {
        let error = &mut finding.error;
        if !is_private(&error.field) {
            continue;
        }
        let Some(value) = error.bad_value.take() else {
            continue;
        };
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if text.len() >= SHORTEST && !matches!(value, Value::Bool(_) | Value::Null) {
            error.message = error.message.replace(&text, "...");
        }
    }
}

/// Whether such a value stands in a field: the environment and the configuration, whatever contains them, and the copy of
/// the manifest that kubectl keeps.
fn is_private(field: &str) -> bool {
    if let Some(rest) = field.strip_prefix("spec.env") {
        // Names of variables and references to Secrets are none.
        let is_env = rest.is_empty() || rest.starts_with('[');
        return is_env && rest.rsplit('.').next() != Some("name") && !rest.contains("].valueFrom");
    }
    if let Some(rest) = field.strip_prefix("spec.config") {
        return rest.is_empty() || rest.starts_with(['.', '[']);
    }
    ["", "spec", "metadata", "metadata.annotations"].contains(&field)
        || field.contains("last-applied-configuration")
}

#[cfg(test)]
mod tests {
    use mcp_operator_api::v1alpha1::{FailurePolicy, Mode, OnExisting};
    use mcp_operator_core::admission::{Denial, Finding, decide};
    use mcp_operator_core::field::{ErrorType, FieldError};
    use serde_json::json;

    use super::*;

    fn outcome(field: &str, value: Value, mode: Mode) -> Outcome {
        let error = FieldError {
            field: field.into(),
            error_type: ErrorType::Invalid,
            bad_value: Some(value),
            message: "hunter22 is no URL".into(),
            code: "c".into(),
        };
        Outcome {
            plugin: "rule".into(),
            mode,
            failure_policy: FailurePolicy::Fail,
            on_existing: OnExisting::Keep,
            result: Ok(vec![Finding {
                error,
                warning: false,
            }]),
        }
    }

    #[test]
    fn no_answer_shows_a_value_of_the_environment_or_the_configuration() {
        for mode in [Mode::Enforce, Mode::Warn, Mode::Audit] {
            for field in ["spec.env[0].value", "spec.config.db", "spec.config"] {
                let mut outcomes = [outcome(field, json!("hunter22"), mode)];
                hide(&mut outcomes);
                let decision = decide(&outcomes);
                let all = format!("{decision:?}");
                assert!(!all.contains("hunter22"), "{all}");
                let audit = &decision.audit["rule.c"];
                assert_eq!(audit, &format!("{field}: Invalid value: ... is no URL"));
            }
        }
    }

    #[test]
    fn what_contains_such_a_value_is_not_shown_and_other_fields_are() {
        let whole = json!({ "env": [{ "name": "A", "value": "hunter22" }] });
        for field in [
            "",
            "spec",
            "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]",
            "spec.env[1]",
            "spec.env",
        ] {
            let mut outcomes = [outcome(field, whole.clone(), Mode::Enforce)];
            hide(&mut outcomes);
            let Ok(findings) = &outcomes[0].result else {
                unreachable!()
            };
            assert_eq!(findings[0].error.bad_value, None, "{field}");
        }
        for field in [
            "spec.image.tag",
            "spec.env[0].name",
            "spec.env[0].valueFrom.secretKeyRef.key",
            "spec.configuration",
        ] {
            let mut outcomes = [outcome(field, json!("hunter22"), Mode::Enforce)];
            hide(&mut outcomes);
            let Some(Denial::Invalid(errors)) = decide(&outcomes).denial else {
                unreachable!()
            };
            assert_eq!(errors[0].bad_value, Some(json!("hunter22")), "{field}");
        }
    }
}
