use mcp_operator_api::v1alpha1::{FailurePolicy, Mode, OnExisting};
use serde_json::json;

use super::*;

fn server(spec: Value) -> Value {
    json!({ "metadata": { "name": "a", "labels": { "team": "a" } }, "spec": spec })
}

fn outcome(plugin: &str, errors: &[FieldError]) -> Outcome {
    let findings = errors.iter().map(|error| Finding {
        error: error.clone(),
        warning: false,
        excepted: None,
    });
    Outcome {
        plugin: plugin.into(),
        mode: Mode::Enforce,
        failure_policy: FailurePolicy::Fail,
        on_existing: OnExisting::Deregister,
        result: Ok(findings.collect()),
    }
}

fn error(field: &str, error_type: ErrorType, bad_value: Option<Value>) -> FieldError {
    FieldError {
        field: field.into(),
        error_type,
        bad_value,
        message: "not here".into(),
        code: "rule".into(),
    }
}

/// Whether an error of a rule in `new`, which said `before` of `old`, is only a warning.
fn passes(old: &Value, new: &Value, before: &FieldError, after: &FieldError) -> bool {
    let mut outcomes = [outcome("rule", std::slice::from_ref(after))];
    let lowered = ratchet(
        &mut outcomes,
        &[outcome("rule", std::slice::from_ref(before))],
        old,
        new,
    );
    assert_eq!(lowered, outcomes[0].result.as_ref().unwrap()[0].warning);
    lowered
}

#[test]
fn what_was_wrong_before_and_is_left_alone_is_a_warning() {
    let tag = error("spec.tag", ErrorType::Invalid, Some(json!("latest")));
    let old = server(json!({ "tag": "latest", "replicas": 1 }));
    let mut new = server(json!({ "tag": "latest", "replicas": 2 }));
    new["metadata"] =
        json!({ "labels": { "cost": "1" }, "finalizers": ["x"], "resourceVersion": "7" });
    assert!(passes(&old, &new, &tag, &tag));
}

/// What a rule says need not show the value: two forbidden ones read alike.
#[test]
fn another_wrong_value_is_refused_also_where_the_rule_says_the_same_of_it() {
    let silent = error("spec.tag", ErrorType::Forbidden, None);
    let (old, new) = (
        server(json!({ "tag": "evil" })),
        server(json!({ "tag": "worse" })),
    );
    assert!(!passes(&old, &new, &silent, &silent));
    assert!(passes(&old, &old, &silent, &silent));
    // Of the whole object, and of a field that no MCPServer has.
    for field in ["", "spec", "spec.registry"] {
        let wide = error(field, ErrorType::Forbidden, None);
        assert!(!passes(&old, &new, &wide, &wide), "{field}");
        assert!(passes(&old, &old, &wide, &wide), "{field}");
    }
    let shown = |value: &str| error("spec.tag", ErrorType::Invalid, Some(json!(value)));
    assert!(!passes(&old, &new, &shown("evil"), &shown("worse")));
}

#[test]
fn what_an_update_breaks_is_refused() {
    let label = error("metadata.labels[team]", ErrorType::Required, None);
    let (labelled, mut bare) = (server(json!({})), server(json!({})));
    bare["metadata"]["labels"] = json!({ "cost": "1" });
    let mut outcomes = [outcome("rule", std::slice::from_ref(&label))];
    assert!(
        !ratchet(&mut outcomes, &[outcome("rule", &[])], &labelled, &bare),
        "it was there before"
    );
    // Another plugin said so, or the same one cannot be asked about what was there.
    let others = [outcome("other", std::slice::from_ref(&label))];
    assert!(!ratchet(&mut outcomes, &others, &bare, &bare));
    let mut failed = outcome("rule", &[]);
    failed.result = Err(crate::admission::PluginFailure {
        category: "Trapped",
        guest: true,
        message: String::new(),
    });
    assert!(!ratchet(&mut outcomes, &[failed], &bare, &bare));
}

#[test]
fn what_is_missing_in_both_stays_missing_whatever_else_changes() {
    let label = error(
        "metadata.labels[example.com/team]",
        ErrorType::Required,
        None,
    );
    let mut old = server(json!({}));
    old["metadata"].as_object_mut().unwrap().remove("labels");
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({ "cost": "1" });
    assert!(passes(&old, &new, &label, &label));
}

#[test]
fn an_item_with_a_name_is_found_behind_others() {
    let at = |index: usize| {
        error(
            &format!("spec.env[{index}].value"),
            ErrorType::Forbidden,
            None,
        )
    };
    let old = server(json!({ "env": [{ "name": "A", "value": "bad" }] }));
    let good = json!({ "name": "B", "value": "good" });
    let new = server(json!({ "env": [good, { "name": "A", "value": "bad" }] }));
    assert!(passes(&old, &new, &at(0), &at(1)));
    let renamed = server(json!({ "env": [{ "name": "C", "value": "bad" }] }));
    assert!(!passes(&old, &renamed, &at(0), &at(0)));
    let list = |value: &str| server(json!({ "args": [value] }));
    let arg = error("spec.args[0]", ErrorType::Forbidden, None);
    assert!(passes(&list("bad"), &list("bad"), &arg, &arg));
    assert!(!passes(&list("bad"), &list("worse"), &arg, &arg));
}

/// kubectl keeps a copy of the manifest, which changes whenever anything does.
#[test]
fn a_copy_of_the_manifest_is_no_change_of_the_whole() {
    let whole = error("", ErrorType::Invalid, None);
    let mut old = server(json!({}));
    let mut new = server(json!({}));
    old["metadata"]["annotations"] =
        json!({ DERIVED_ANNOTATIONS[0]: "one", DERIVED_ANNOTATIONS[1]: "one" });
    new["metadata"]["annotations"] =
        json!({ DERIVED_ANNOTATIONS[0]: "two", DERIVED_ANNOTATIONS[1]: "two" });
    new["metadata"]["ownerReferences"] = json!([]);
    new["status"] = json!({ "phase": "Ready" });
    assert!(passes(&old, &new, &whole, &whole));
    new["metadata"]["annotations"]["x"] = json!("y");
    assert!(!passes(&old, &new, &whole, &whole));
}

#[test]
fn paths_have_the_parts_that_apimachinery_writes() {
    assert_eq!(parts("spec.env[0].value"), ["spec", "env", "0", "value"]);
    assert_eq!(
        parts("metadata.labels[example.com/team]"),
        ["metadata", "labels", "example.com/team"]
    );
    assert_eq!(parts(""), [""; 0]);
    assert_eq!(parts("a[b"), ["a", "b"]);
}

proptest::proptest! {
    /// Plugins write the paths.
    #[test]
    fn any_path_is_read(field in ".{0,40}") {
        let object = server(json!({ "env": [{ "name": "A" }] }));
        let place = Place::of(&field, &object);
        proptest::prop_assert!(place.is_same(ErrorType::Required, &object, &object));
    }
}
