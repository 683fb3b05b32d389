//! Mistakes in settings, which are found before anything is judged.

use mcp_plugin_sdk::{Plugin, testing};
use serde_json::{Value, json};

use crate::Cel;

fn complaints(settings: Value) -> Vec<String> {
    let found = Cel::check_settings(&testing::settings(settings));
    found
        .into_iter()
        .map(|finding| format!("{}: {}", finding.field, finding.message))
        .collect()
}

fn of_expression(expression: &str) -> Vec<String> {
    complaints(json!({ "validations": [{ "name": "r", "expression": expression }] }))
}

#[test]
fn a_mistake_in_an_expression_names_the_rule_and_the_place() {
    for (expression, expected) in [
        ("object.spec.replicas <=", "rule r: line 1, column "),
        (
            "object.spec.replicas <= 3 object",
            "rule r: line 1, column 27",
        ),
        ("", "must not be empty"),
        ("!!has(object.spec.image)", "two `!` or two signs"),
        (
            "objekt.spec.replicas <= 3",
            "rule r: `objekt` is not known; there are object, oldObject, ",
        ),
        (
            "variables.max > 3",
            "rule r: there is no variable max before it",
        ),
        (
            "isSecret(object.spec.image.tag)",
            "rule r: there is no function isSecret",
        ),
        (
            "object.spec.image.tag.beginsWith('v')",
            "rule r: there is no function beginsWith",
        ),
        (
            "math.half(2) == 1",
            "rule r: there is no function math.half",
        ),
        (
            "authorizer.group('apps').resource('deployments').check('create').allowed()",
            "`authorizer` is not known",
        ),
        (
            "object.spec.secrets.all(i, s, s.name != '')",
            "there is no function all: loops with two names",
        ),
        (
            "object.spec.image.tag.matches('(v')",
            "\"(v\" is no regular expression: unclosed group",
        ),
        (
            "Image{tag: 'x'} == object.spec.image",
            "makes a message of type Image",
        ),
        ("variables == 1", "uses `variables` as a whole"),
        ("'yes'", "rule r: is text, where true or false is wanted"),
        ("object.spec.replicas + 1", "rule r: is a sum, where"),
        // A misspelt field, which `has` would never find.
        (
            "!has(object.spec.replica)",
            "object.spec has no field replica; it has replicas",
        ),
        (
            "object.spec.image.tags != 'latest'",
            "object.spec.image has no field tags; it has tag",
        ),
        (
            "object.spec.secrets.all(s, s.nam != '')",
            "object.spec.secrets[] has no field nam; it has ",
        ),
        (
            "object.spec.replicas.max > 1",
            "object.spec.replicas has no field max, nor any other",
        ),
        (
            "object.spec.secrets.name == 'a'",
            "object.spec.secrets is a list, and has no field name",
        ),
        (
            "oldObject == null || oldObject.metadata.label.team == ''",
            "oldObject.metadata has no field label; ",
        ),
        (
            "request.user.username == 'jane'",
            "request has no field user; it has ",
        ),
        (
            "namespaceObject.labels.env == 'prod'",
            "namespaceObject has no field labels; ",
        ),
    ] {
        let found = of_expression(expression);
        assert!(
            found.iter().any(|found| found.contains(expected)),
            "{expression}: {found:?}"
        );
        let place = "validations[0].expression: rule r: ";
        assert!(
            found.iter().all(|found| found.starts_with(place)),
            "{expression}: {found:?}"
        );
    }
}

#[test]
fn what_is_in_order_is_not_complained_about() {
    for expression in [
        "object.spec.config.anything.goes == 1",
        "object.metadata.labels.team == 'x' || object.metadata.annotations['a/b'] == 'y'",
        "object.spec.resources.limits.memory == '1Gi'",
        "object.spec.secrets.all(s, s.name != '' && object.metadata.labels.all(k, k != s.name))",
        "object.spec.networkPolicy.egress.all(e, e.ports.all(p, p > 0))",
        "rendered.all(o, o.kind == 'Service' ? o.spec.ports.size() == 1 : true)",
        "cel.bind(i, object.spec.image, has(i.digest))",
        "math.least(object.spec.replicas, 3) == 3 && sets.contains([1], [1])",
        "optional.of(1).orValue(2) == 1 && ip.isCanonical('::1')",
        "params.anything == oldObject",
    ] {
        assert!(
            of_expression(expression).is_empty(),
            "{expression}: {:?}",
            of_expression(expression)
        );
    }
}

#[test]
fn each_part_of_the_settings_is_looked_at() {
    let settings = json!({
        "matchConditions": [{ "name": "", "expression": "bad(" }],
        "variables": [
            { "name": "1st", "expression": "variables.later" },
            { "name": "later", "expression": "1" },
            { "name": "later", "expression": "2" },
        ],
        "validations": [
            { "name": "Bad Name", "expression": "true", "message": " ", "fieldPath": "spec..x" },
            { "name": "twice", "expression": "true", "messageExpression": "1 +", "fieldPath": "spec.replica" },
            { "name": "twice", "expression": "true", "matchConditions": [{ "name": "c", "expression": "2" }] },
        ],
    });
    let found = complaints(settings);
    for expected in [
        "matchConditions[0].expression: match condition : line 1",
        "matchConditions[0].name: must not be empty",
        "variables[0].name: must be a name",
        "variables[0].expression: variable 1st: there is no variable later before it",
        "variables[2].name: is the name of another variable",
        "validations[0].name: must be lower-case",
        "validations[0].message: must not be empty",
        "validations[0].fieldPath: is no path",
        "validations[1].messageExpression: rule twice: line 1",
        "validations[1].fieldPath: object.spec has no field replica",
        "validations[2].name: is the name of another validation",
        "validations[2].matchConditions[0].expression: match condition c: is a number",
    ] {
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{expected}: {found:#?}"
        );
    }
    assert!(complaints(json!({}))[0].starts_with("validations: say what must be true"));
    let schema: Value = serde_json::from_str(crate::settings::SCHEMA).unwrap();
    assert_eq!(schema["required"], json!(["validations"]));
}
