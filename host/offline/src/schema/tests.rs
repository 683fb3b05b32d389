use serde_json::json;

use super::*;

fn schema() -> Value {
    json!({
        "type": "object", "required": ["spec"],
        "properties": { "spec": {
            "type": "object", "required": ["name"],
            "properties": {
                "name": { "type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]*$" },
                "kind": { "type": "string", "enum": ["a", "b"], "default": "a" },
                "port": { "type": "integer", "format": "int32", "minimum": 1.0, "maximum": 10.0, "default": 8 },
                "share": { "type": "number", "format": "double", "minimum": 0.0, "maximum": 1.0 },
                "budget": { "x-kubernetes-int-or-string": true, "anyOf": [{}, {}], "pattern": "^[0-9]+%?$", "nullable": true },
                "probes": {
                    "type": "object", "default": {},
                    "properties": { "live": { "type": "object", "default": { "path": "/" }, "properties": {
                        "path": { "type": "string" }, "period": { "type": "integer", "default": 10 },
                    } } },
                },
                "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
                "limits": { "type": "object", "additionalProperties": { "x-kubernetes-int-or-string": true } },
                "env": {
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "maxItems": 3,
                    "items": { "type": "object", "required": ["name"], "properties": {
                        "name": { "type": "string" }, "optional": { "type": "boolean", "default": false },
                    } },
                },
            },
        } },
    })
}

fn messages(spec: Value) -> Vec<String> {
    let object = json!({ "kind": "K", "spec": spec });
    let found = violations(&schema(), &object);
    found.iter().map(ToString::to_string).collect()
}

fn filled(spec: Value) -> Value {
    let mut object = json!({ "spec": spec });
    fill_in(&schema(), &mut object);
    object["spec"].take()
}

#[test]
fn defaults_are_filled_in_at_every_depth() {
    assert_eq!(
        filled(json!({ "name": "ab", "env": [{ "name": "A" }], "free": { "x": null } })),
        json!({
            "name": "ab", "kind": "a", "port": 8,
            "probes": { "live": { "path": "/", "period": 10 } },
            "env": [{ "name": "A", "optional": false }], "free": { "x": null },
        })
    );
}

#[test]
fn what_is_said_stays_and_again_changes_nothing() {
    let said = json!({ "port": 3, "kind": "b", "probes": { "live": { "period": 1 } } });
    let once = filled(said.clone());
    assert_eq!(once, said);
    assert_eq!(filled(once.clone()), once);
}

#[test]
fn null_is_absent_unless_it_may_be_null() {
    let spec =
        filled(json!({ "port": null, "name": null, "budget": null, "limits": { "cpu": null } }));
    assert_eq!(spec["port"], 8);
    assert_eq!(spec.get("name"), None);
    assert_eq!(spec["budget"], Value::Null);
    assert_eq!(spec["limits"], json!({}));
    assert_eq!(messages(json!({ "name": "ab", "budget": null })), [""; 0]);
}

#[test]
fn unknown_fields_are_named_and_taken_out() {
    let mut object = json!({
        "apiVersion": "v1", "kind": "K", "metadata": { "name": "a" }, "sepc": 1,
        "spec": { "nam": 1, "free": { "any": { "thing": 1 } }, "limits": { "gpu": 1 }, "env": [{ "name": "A" }, { "value": 1 }] },
    });
    assert_eq!(
        unknown(&schema(), &object),
        ["sepc", "spec.env[1].value", "spec.nam"]
    );
    remove_unknown(&schema(), &mut object);
    assert_eq!(unknown(&schema(), &object), [""; 0]);
    assert_eq!(object["spec"]["free"]["any"]["thing"], 1);
}

#[test]
fn what_does_not_fit_is_worded_in_the_words_of_the_api_server() {
    for (spec, expected) in [
        (json!({}), "spec.name: Required value"),
        (
            json!({ "name": 1 }),
            r#"spec.name: Invalid value: "integer": spec.name in body must be of type string: "integer""#,
        ),
        (
            json!({ "name": "a" }),
            r#"spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long"#,
        ),
        (
            json!({ "name": "abcde" }),
            "spec.name: Too long: may not be more than 4 bytes",
        ),
        (
            json!({ "name": "AB" }),
            r#"spec.name: Invalid value: "AB": spec.name in body should match '^[a-z]*$'"#,
        ),
        (
            json!({ "name": "ab", "kind": "c" }),
            r#"spec.kind: Unsupported value: "c": supported values: "a", "b""#,
        ),
        (
            json!({ "name": "ab", "port": 0 }),
            "spec.port: Invalid value: 0: spec.port in body should be greater than or equal to 1",
        ),
        (
            json!({ "name": "ab", "port": 11 }),
            "spec.port: Invalid value: 11: spec.port in body should be less than or equal to 10",
        ),
        (
            json!({ "name": "ab", "port": "8" }),
            r#"spec.port: Invalid value: "string": spec.port in body must be of type integer: "string""#,
        ),
        (
            json!({ "name": "ab", "port": true }),
            r#"spec.port: Invalid value: "": spec.port in body must be of type int32: """#,
        ),
        (
            json!({ "name": "ab", "share": 1.5 }),
            "spec.share: Invalid value: 1.5: spec.share in body should be less than or equal to 1",
        ),
        (
            json!({ "name": "ab", "budget": true }),
            r#"spec.budget: Invalid value: "boolean": spec.budget in body must be of type integer,string: "boolean""#,
        ),
        (
            json!({ "name": "ab", "budget": "half" }),
            r#"spec.budget: Invalid value: "half": spec.budget in body should match '^[0-9]+%?$'"#,
        ),
        (
            json!({ "name": "ab", "probes": [] }),
            r#"spec.probes: Invalid value: "array": spec.probes in body must be of type object: "array""#,
        ),
        (
            json!({ "name": "ab", "env": [{ "name": "A" }, { "name": "A" }] }),
            r#"spec.env[1]: Duplicate value: {"name":"A"}"#,
        ),
        (
            json!({ "name": "ab", "env": [{}] }),
            "spec.env[0].name: Required value",
        ),
    ] {
        assert_eq!(messages(spec), [expected]);
    }
    assert_eq!(
        messages(
            json!({ "name": "ab", "share": 1, "port": 2.0, "budget": 3, "limits": { "cpu": 1 }, "kind": "b" })
        ),
        [""; 0]
    );
    let four = json!([{ "name": "A" }, { "name": "B" }, { "name": "C" }, { "name": "D" }]);
    assert_eq!(
        messages(json!({ "name": "ab", "env": four })),
        ["spec.env: Too many: 4: must have at most 3 items"]
    );
}

#[test]
fn everything_that_is_wrong_is_found_at_once() {
    let spec = json!({ "name": 1, "kind": "c", "port": 0 });
    assert_eq!(messages(spec).len(), 3);
    let nothing = violations(&schema(), &json!({}));
    assert_eq!(nothing[0].to_string(), "spec: Required value");
}
