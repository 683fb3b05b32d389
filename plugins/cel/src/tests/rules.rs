//! Messages, conditions, variables and stages.

use mcp_plugin_sdk::{Severity, Stage};
use serde_json::{Value, json};

use super::{judge, refusals, request, server};

fn one(validation: Value) -> Value {
    json!({ "validations": [validation] })
}

#[test]
fn a_refusal_names_the_rule_the_field_the_value_and_the_message() {
    let settings = one(json!({
        "name": "replica-bounds", "expression": "object.spec.replicas <= params.max", "fieldPath": ".spec.replicas",
        "messageExpression": "'at most ' + string(params.max) + ' in ' + namespaceObject.metadata.labels.env",
    }));
    let mut settings = settings;
    settings["params"] = json!({ "max": 1 });
    let found = judge(settings, &request(&server()));
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!(
        (finding.code.as_str(), finding.field.as_str()),
        ("replica-bounds", "spec.replicas")
    );
    assert_eq!(
        (finding.error_type, &finding.bad_value),
        ("Invalid", &Some(json!(2)))
    );
    assert_eq!(finding.message, "at most 1 in prod");
    assert_eq!(finding.severity, Severity::Error);
}

#[test]
fn a_message_expression_that_fails_leaves_the_message() {
    let said = |message: Value, expression: &str| {
        let mut rule = json!({ "expression": "false", "messageExpression": expression });
        rule["message"] = message;
        refusals(one(rule), &request(&server())).remove(0)
    };
    for expression in ["object.spec.missing", "1 + 1", "' '", "'a\\nb'"] {
        assert_eq!(said(json!("no"), expression), "no", "{expression}");
        assert_eq!(said(Value::Null, expression), "failed expression: false");
    }
    assert_eq!(
        said(json!("no"), "'of ' + object.metadata.name"),
        "of weather"
    );
}

#[test]
fn reasons_are_those_of_policies_and_of_definitions() {
    for (reason, error_type) in [
        ("Forbidden", "Forbidden"),
        ("Unauthorized", "Forbidden"),
        ("RequestEntityTooLarge", "TooLong"),
        ("FieldValueRequired", "Required"),
        ("FieldValueDuplicate", "Duplicate"),
    ] {
        let settings =
            one(json!({ "expression": "false", "reason": reason, "fieldPath": "spec.replicas" }));
        let finding = judge(settings, &request(&server())).remove(0);
        assert_eq!((finding.error_type, finding.bad_value), (error_type, None));
    }
}

/// Configuration and environment may hold credentials.
#[test]
fn values_are_shown_where_that_is_safe() {
    let shown = |path: &str| {
        let settings = one(json!({ "expression": "false", "fieldPath": path }));
        judge(settings, &request(&server())).remove(0).bad_value
    };
    assert_eq!(shown("metadata.labels['team']"), Some(json!("payments")));
    assert_eq!(shown("spec.secrets[1].name"), Some(json!("b")));
    for path in [
        "spec.config.ratio",
        "spec.image",
        "spec.missing",
        "spec.secrets[7].name",
    ] {
        assert_eq!(shown(path), None, "{path}");
    }
}

#[test]
fn a_warning_never_refuses() {
    let settings = one(json!({ "expression": "false", "severity": "warning" }));
    assert_eq!(
        judge(settings, &request(&server()))[0].severity,
        Severity::Warning
    );
}

/// As in Kubernetes: one that is false leaves the server out, whatever the others do; one that fails refuses otherwise.
#[test]
fn match_conditions_choose_whom_a_rule_is_for() {
    let with = |of_all: &[&str], own: &[&str]| {
        let list = |expressions: &[&str]| -> Value {
            let condition = |expression: &&str| json!({ "name": "c", "expression": expression });
            expressions.iter().map(condition).collect()
        };
        let settings = json!({
            "matchConditions": list(of_all),
            "validations": [{ "name": "r", "expression": "false", "message": "no", "matchConditions": list(own) }],
        });
        refusals(settings, &request(&server()))
    };
    let prod = "namespaceObject.metadata.labels.env == 'prod'";
    let fails = "object.spec.missing == 1";
    assert_eq!(with(&[prod], &[prod]), ["no"]);
    assert!(with(&[prod], &["object.metadata.name == 'other'"]).is_empty());
    assert!(with(&[fails, "false"], &[prod]).is_empty());
    assert_eq!(
        with(&[prod], &[fails]),
        ["the rule r cannot be evaluated: its match condition c: no such key: missing"]
    );
}

#[test]
fn variables_fail_only_whoever_uses_them() {
    let with = |expression: &str| {
        let settings = json!({
            "variables": [
                { "name": "image", "expression": "object.spec.image.repository + ':' + object.spec.image.tag" },
                { "name": "registry", "expression": "variables.image.split('/')[0]" },
                { "name": "broken", "expression": "object.spec.missing" },
            ],
            "validations": [{ "name": "r", "expression": expression, "message": "no" }],
        });
        refusals(settings, &request(&server()))
    };
    assert!(
        with("variables.registry == 'ghcr.io' && variables.image.endsWith(':1.2.3')").is_empty()
    );
    assert!(with("['a'].all(a, variables.registry == 'ghcr.io')").is_empty());
    assert!(with("variables.registry == 'ghcr.io' || variables.broken == 1").is_empty());
    assert_eq!(with("variables.registry == 'quay.io'"), ["no"]);
    assert_eq!(
        with("variables.broken == 1"),
        [
            "the rule r cannot be evaluated: variables.broken: no such key: missing, in `variables.broken == 1`"
        ]
    );
}

/// A stored server has neither: it would be refused for ever.
#[test]
fn rules_about_a_request_are_for_admission() {
    let immutable =
        "oldObject == null || object.spec.image.repository == oldObject.spec.image.repository";
    let mut settings = json!({
        "variables": [{ "name": "groups", "expression": "request.userInfo.groups" }],
        "validations": [
            { "name": "immutable", "expression": immutable, "message": "immutable" },
            { "name": "admins", "expression": "'admins' in variables.groups", "message": "admins" },
            { "name": "any", "expression": "request.operation == 'CREATE'", "message": "any" },
        ],
    });
    let mut other = server();
    other["spec"]["image"]["repository"] = json!("ghcr.io/acme/other");
    let mut update = mcp_plugin_sdk::testing::request_about(&server(), Some(&other), &[]);
    update.operation = mcp_plugin_sdk::Operation::Update;
    update.username = Some("jane".into());
    assert_eq!(
        refusals(settings.clone(), &update),
        ["immutable", "admins", "any"]
    );

    let mut reconciled = mcp_plugin_sdk::testing::request_about(&server(), None, &[]);
    reconciled.operation = mcp_plugin_sdk::Operation::Update;
    reconciled.stage = Stage::Reconcile;
    assert_eq!(refusals(settings.clone(), &reconciled), ["any"]);

    // `mcp-operator check` knows nobody who asks: it says so, instead of passing or refusing what it cannot tell.
    update.username = None;
    let told = judge(settings.clone(), &update);
    let of = |code: &str| told.iter().find(|finding| finding.code == code);
    assert_eq!(
        of("immutable").map(|finding| finding.severity),
        Some(Severity::Error)
    );
    let admins = of("admins").map(|finding| (finding.severity, finding.message.as_str()));
    let not_judged =
        "was not judged: it asks who sends the request, which only the API server knows";
    assert_eq!(admins, Some((Severity::Warning, not_judged)));

    // An exemption by the user makes all of them rules about a request.
    settings["matchConditions"] =
        json!([{ "name": "not-root", "expression": "request.userInfo.username != 'root'" }]);
    assert!(refusals(settings, &reconciled).is_empty());
}

/// What the operator could not find out is no reason to let pass.
#[test]
fn what_is_not_known_refuses() {
    let bare = mcp_plugin_sdk::testing::request_about(&server(), None, &[]);
    for expression in [
        "namespaceObject.metadata.name != 'prod'",
        "!rendered.exists(o, o.kind == 'Secret')",
    ] {
        let refused = refusals(one(json!({ "expression": expression })), &bare);
        assert!(refused[0].contains("is not known here"), "{refused:?}");
    }
}
