use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::field::ErrorType;

fn finding(code: &str, field: &str, warning: bool) -> Finding {
    let error = FieldError {
        field: field.into(),
        error_type: ErrorType::Invalid,
        bad_value: None,
        message: format!("{code} is broken"),
        code: code.into(),
    };
    Finding {
        error,
        warning,
        excepted: None,
    }
}

fn with_value(mut finding: Finding, bad_value: Option<Value>) -> Finding {
    finding.error.bad_value = bad_value;
    finding
}

fn outcome(plugin: &str, mode: Mode, result: Result<Vec<Finding>, PluginFailure>) -> Outcome {
    Outcome {
        plugin: plugin.into(),
        mode,
        failure_policy: FailurePolicy::Fail,
        on_existing: OnExisting::Deregister,
        result,
    }
}

fn failure(plugin: &str) -> PluginFailure {
    PluginFailure {
        category: "Trapped",
        guest: true,
        message: format!("plugin {plugin} trapped"),
    }
}

#[test]
fn nothing_found_is_allowed() {
    let allowed = Decision {
        answered: ["a".to_owned()].into(),
        ..Decision::default()
    };
    assert_eq!(decide(&[outcome("a", Mode::Enforce, Ok(vec![]))]), allowed);
    assert_eq!(decide(&[]), Decision::default());
}

#[test]
fn all_errors_are_reported_at_once_sorted_and_without_duplicates() {
    let decision = decide(&[
        outcome(
            "b",
            Mode::Enforce,
            Ok(vec![finding("tag", "spec.image.tag", false)]),
        ),
        outcome(
            "a",
            Mode::Enforce,
            Ok(vec![
                finding("port", "spec.port", false),
                finding("tag", "spec.image.tag", false),
            ]),
        ),
    ]);
    let Some(Denial::Invalid(errors)) = decision.denial else {
        panic!("not refused")
    };
    assert_eq!(
        errors.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(),
        ["spec.image.tag", "spec.port"]
    );
}

#[test]
fn a_warning_never_refuses() {
    let warned = decide(&[outcome(
        "a",
        Mode::Enforce,
        Ok(vec![finding("tag", "spec.image.tag", true)]),
    )]);
    assert_eq!(warned.denial, None);
    assert_eq!(
        warned.warnings,
        ["spec.image.tag: Invalid value: tag is broken (a/tag)"]
    );
    let by_mode = decide(&[outcome(
        "a",
        Mode::Warn,
        Ok(vec![finding("tag", "spec.image.tag", false)]),
    )]);
    assert_eq!(by_mode.denial, None);
    assert_eq!(by_mode.warnings, warned.warnings);
}

#[test]
fn audit_is_silent_but_recorded() {
    let decision = decide(&[
        outcome(
            "a",
            Mode::Audit,
            Ok(vec![finding("tag", "spec.image.tag", false)]),
        ),
        outcome("b", Mode::Audit, Err(failure("b"))),
    ]);
    assert_eq!((decision.denial, decision.warnings), (None, vec![]));
    assert_eq!(
        decision.audit.keys().collect::<Vec<_>>(),
        ["a.tag", "b.failure"]
    );
}

#[test]
fn a_failure_refuses_only_where_it_must() {
    let refused = decide(&[outcome("a", Mode::Enforce, Err(failure("a")))]);
    assert_eq!(
        refused.denial,
        Some(Denial::PluginFailed(vec![failure("a")]))
    );
    let warned = decide(&[outcome("a", Mode::Warn, Err(failure("a")))]);
    assert_eq!(
        (warned.denial, warned.warnings),
        (None, vec!["plugin a trapped".to_owned()])
    );
}

/// Whoever writes an object would otherwise choose that a rule is not asked about it.
#[test]
fn ignore_covers_the_operators_faults_and_not_what_an_object_does_to_a_plugin() {
    let ignored = |mode, guest| {
        let failed = PluginFailure {
            guest,
            ..failure("a")
        };
        decide(&[Outcome {
            failure_policy: FailurePolicy::Ignore,
            ..outcome("a", mode, Err(failed))
        }])
    };
    let by_the_operator = ignored(Mode::Enforce, false);
    assert_eq!(by_the_operator.denial, None);
    assert_eq!(by_the_operator.warnings, ["plugin a trapped"]);
    let Some(Denial::PluginFailed(failures)) = ignored(Mode::Enforce, true).denial else {
        panic!("it is admitted")
    };
    assert!(
        failures[0]
            .message
            .starts_with("plugin a trapped (failurePolicy Ignore covers"),
        "{failures:?}"
    );
    for mode in [Mode::Warn, Mode::Audit] {
        assert_eq!(ignored(mode, true).denial, None, "{mode:?}");
    }
}

#[test]
fn broken_rules_are_reported_before_failed_plugins() {
    let decision = decide(&[
        outcome("a", Mode::Enforce, Err(failure("a"))),
        outcome(
            "b",
            Mode::Enforce,
            Ok(vec![finding("tag", "spec.image.tag", false)]),
        ),
    ]);
    assert!(matches!(decision.denial, Some(Denial::Invalid(_))));
    assert_eq!(decision.warnings, ["plugin a trapped"]);
}

#[test]
fn a_configuration_that_no_config_map_holds_is_found_without_plugins() {
    let found = |config| unbuildable(&json!({ "spec": { "config": config } }));
    let findings = found(json!({ "": 1 }));
    let codes: Vec<_> = findings.iter().map(|found| &*found.error.code).collect();
    assert_eq!(codes, ["config-name"]);
    assert!(!findings[0].warning, "it refuses the object");
    assert_eq!(found(json!({ "githubOrg": "acme" })), []);
    assert_eq!(unbuildable(&json!({ "spec": {} })), []);
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let findings =
        prop::collection::vec(("[ab]", "[xy]", any::<bool>(), any::<Option<bool>>()), 0..3)
            .prop_map(|findings| {
                let found = findings.iter().map(|(code, field, warning, value)| {
                    with_value(finding(code, field, *warning), value.map(Value::from))
                });
                Ok(found.collect())
            });
    let result = prop_oneof![findings, "[ab]".prop_map(|name| Err(failure(&name)))];
    let mode = prop_oneof![Just(Mode::Enforce), Just(Mode::Warn), Just(Mode::Audit)];
    let policy = prop_oneof![Just(FailurePolicy::Fail), Just(FailurePolicy::Ignore)];
    ("[pq]", mode, policy, result).prop_map(|(plugin, mode, failure_policy, result)| Outcome {
        plugin,
        mode,
        failure_policy,
        on_existing: OnExisting::Deregister,
        result,
    })
}

#[test]
fn the_strictest_of_those_that_refuse_decides_about_what_is_registered() {
    let with = |on_existing, mode, warning| Outcome {
        on_existing,
        ..outcome("p", mode, Ok(vec![finding("a", "spec.b", warning)]))
    };
    let keep = with(OnExisting::Keep, Mode::Enforce, false);
    let restrict = with(OnExisting::Restrict, Mode::Enforce, false);
    let deregister = with(OnExisting::Deregister, Mode::Enforce, false);
    assert_eq!(on_existing(&[]), OnExisting::Keep);
    assert_eq!(
        on_existing(&[restrict.clone(), keep.clone()]),
        OnExisting::Restrict
    );
    assert_eq!(
        on_existing(&[keep.clone(), deregister]),
        OnExisting::Deregister
    );
    for refuses_nothing in [
        with(OnExisting::Deregister, Mode::Warn, false),
        with(OnExisting::Deregister, Mode::Enforce, true),
        outcome("p", Mode::Enforce, Err(failure("p"))),
    ] {
        assert_eq!(
            on_existing(&[keep.clone(), refuses_nothing]),
            OnExisting::Keep
        );
    }
}

/// As several plugins may say, of which one shows the value.
#[test]
fn errors_that_differ_only_in_the_value_have_an_order_and_are_shown_once() {
    let says = |plugin: &str, value: Option<Value>| {
        let finding = with_value(finding("a", "spec.b", false), value);
        outcome(plugin, Mode::Enforce, Ok(vec![finding]))
    };
    let outcomes = [
        says("p", None),
        says("q", Some(json!(1))),
        says("r", None),
        says("s", Some(json!(1))),
    ];
    let mut reversed = outcomes.clone();
    reversed.reverse();
    let decision = decide(&outcomes);
    assert_eq!(decide(&reversed), decision);
    let Some(Denial::Invalid(errors)) = decision.denial else {
        panic!("it breaks rules")
    };
    assert_eq!(errors.len(), 2, "{errors:?}");
}

proptest! {
    #[test]
    fn the_order_of_outcomes_does_not_matter(mut outcomes in prop::collection::vec(any_outcome(), 0..6), by in 0usize..6) {
        let decision = decide(&outcomes);
        let middle = by.min(outcomes.len());
        outcomes.rotate_left(middle);
        prop_assert_eq!(&decide(&outcomes), &decision);
        outcomes.reverse();
        prop_assert_eq!(&decide(&outcomes), &decision);
    }
}
