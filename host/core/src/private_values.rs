//! Values that nothing shows: no answer of the webhook, no condition, no event. All of these are read by more people than the
//! MCPServer, and a secret that somebody typed into a value would stay there.

use serde_json::Value;

use crate::admission::{Outcome, PluginFailure};

/// A shorter text says nothing, and is a part of many words.
const SHORTEST: usize = 4;
/// Where a text is not about such a value, a shorter one is more likely the same word by chance.
const SHORTEST_ELSEWHERE: usize = 12;
/// Values that are looked for in a text. A configuration may have a hundred thousand.
const MOST: usize = 1024;
/// What stands in the place of a value.
const HIDDEN: &str = "...";

/// Takes the values of environment variables and of the configuration of an MCPServer out of what plugins say about it.
pub fn hide(outcomes: &mut [Outcome], object: Option<&Value>) {
    let says_nothing = |outcome: &Outcome| outcome.result.as_ref().is_ok_and(Vec::is_empty);
    if outcomes.iter().all(says_nothing) {
        return;
    }
    let private = texts(object);
    for outcome in outcomes {
        match &mut outcome.result {
            Ok(findings) => {
                for error in findings.iter_mut().map(|finding| &mut finding.error) {
                    if is_private(&error.field) {
                        let value = error.bad_value.take();
                        let own = value.as_ref().map(text).into_iter();
                        let own =
                            own.filter(|_| !matches!(value, Some(Value::Bool(_) | Value::Null)));
                        error.message = without(&error.message, own, SHORTEST);
                        error.message = without(
                            &error.message,
                            private.iter().map(ToString::to_string),
                            SHORTEST,
                        );
                    } else {
                        let is_one = |shown: &Value| {
                            shown
                                .as_str()
                                .is_some_and(|shown| without_long(shown, &private) != shown)
                        };
                        error.bad_value.take_if(|shown| is_one(shown));
                        error.message = without_long(&error.message, &private);
                    }
                }
            }
            Err(failure) => failure.message = without_long(&failure.message, &private),
        }
    }
}

/// The same of failures: a plugin that ends may say with what.
pub fn hide_in_failures(failures: &mut [PluginFailure], object: Option<&Value>) {
    let private = texts(object);
    for failure in failures {
        failure.message = without_long(&failure.message, &private);
    }
}

/// The same of any text about an MCPServer.
pub fn hide_in(text: &str, object: &Value) -> String {
    without_long(text, &texts(Some(object)))
}

fn without_long(text: &str, private: &[&str]) -> String {
    without(
        text,
        private.iter().map(ToString::to_string),
        SHORTEST_ELSEWHERE,
    )
}

fn without(shown: &str, private: impl Iterator<Item = String>, shortest: usize) -> String {
    let long = private.filter(|value| value.len() >= shortest);
    long.fold(shown.to_owned(), |shown, value| {
        if shown.contains(&value) {
            shown.replace(&value, HIDDEN)
        } else {
            shown
        }
    })
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The texts that nothing shows.
fn texts(object: Option<&Value>) -> Vec<&str> {
    let mut found = Vec::new();
    let Some(spec) = object.map(|object| &object["spec"]) else {
        return found;
    };
    for variable in spec["env"].as_array().into_iter().flatten() {
        found.extend(variable["value"].as_str());
    }
    collect(&spec["config"], &mut found);
    found.truncate(MOST);
    found.sort_unstable_by_key(|text| std::cmp::Reverse(text.len()));
    found
}

fn collect<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        _ if found.len() >= MOST => {}
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|item| collect(item, found)),
        _ => {}
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
    use serde_json::json;

    use super::*;
    use crate::admission::{Denial, Finding, decide};
    use crate::field::{ErrorType, FieldError};

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
                excepted: None,
            }]),
        }
    }

    #[test]
    fn no_answer_shows_a_value_of_the_environment_or_the_configuration() {
        for mode in [Mode::Enforce, Mode::Warn, Mode::Audit] {
            for field in ["spec.env[0].value", "spec.config.db", "spec.config"] {
                let mut outcomes = [outcome(field, json!("hunter22"), mode)];
                hide(&mut outcomes, None);
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
            hide(&mut outcomes, None);
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
            hide(&mut outcomes, None);
            let Some(Denial::Invalid(errors)) = decide(&outcomes).denial else {
                unreachable!()
            };
            assert_eq!(errors[0].bad_value, Some(json!("hunter22")), "{field}");
        }
    }

    /// Whatever field a plugin names, and also where it fails.
    #[test]
    fn values_of_the_object_are_found_in_what_plugins_say_about_other_fields() {
        let object = json!({ "spec": {
            "env": [{ "name": "TOKEN", "value": "hunter2-hunter2" }], "config": { "db": [{ "password": "s3cret-s3cret" }], "mode": "latest" },
        } });
        let mut outcomes = [
            outcome("spec.image.tag", json!("hunter2-hunter2"), Mode::Enforce),
            outcome("spec.image.tag", json!("latest"), Mode::Enforce),
            outcome("spec.env[0].value", json!(7), Mode::Enforce),
        ];
        for outcome in &mut outcomes {
            let Ok(findings) = &mut outcome.result else {
                unreachable!()
            };
            findings[0].error.message =
                "neither hunter2-hunter2 nor s3cret-s3cret is latest".into();
        }
        hide(&mut outcomes, Some(&object));
        let all = format!("{outcomes:?}");
        assert!(!all.contains("hunter2") && !all.contains("s3cret"), "{all}");
        let Ok(findings) = &outcomes[1].result else {
            unreachable!()
        };
        assert_eq!(
            findings[0].error.message, "neither ... nor ... is latest",
            "a word of its own"
        );
        assert_eq!(findings[0].error.bad_value, Some(json!("latest")));

        let mut failures = [PluginFailure {
            category: "Trapped",
            guest: true,
            message: "plugin a: panicked at s3cret-s3cret".into(),
        }];
        hide_in_failures(&mut failures, Some(&object));
        assert_eq!(failures[0].message, "plugin a: panicked at ...");
    }
}
