use std::slice;

use serde_json::json;

use super::*;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "mcp-github", "namespace": "tools", "ownerReferences": [{ "uid": "1" }] },
        "spec": {
            "selector": { "matchLabels": { "a": "b" } },
            "template": { "spec": {
                "serviceAccountName": "mcp-github",
                "containers": [{ "name": "server", "image": "acme/mcp:1" }],
            } },
        },
    })
}

fn patch(operations: Value) -> Result<Value, PatchError> {
    let operations = serde_json::from_value(operations).unwrap();
    let patch = ObjectPatch {
        object: 0,
        code: "rule".into(),
        operations,
    };
    apply(&[deployment()], &[patch], &grants()).map(|mut objects| objects.remove(0))
}

fn grants() -> PluginGrants {
    PluginGrants {
        labels: vec!["team".into()],
        fields: vec!["spec.a".into()],
        ..PluginGrants::default()
    }
}

#[test]
fn defaults_are_filled_in() {
    let patched = patch(json!([
        { "op": "add", "path": "/spec/template/spec/containers/0/securityContext", "value": { "runAsNonRoot": true } },
        { "op": "add", "path": "/metadata/labels", "value": { "team": "a" } },
    ]))
    .unwrap();
    assert_eq!(
        patched["spec"]["template"]["spec"]["containers"][0]["securityContext"]["runAsNonRoot"],
        true
    );
    assert_eq!(patched["metadata"]["labels"]["team"], "a");
}

#[test]
fn patches_are_applied_all_or_none() {
    let fails = patch(json!([
        { "op": "add", "path": "/metadata/labels", "value": {} },
        { "op": "replace", "path": "/spec/nowhere/x", "value": 1 },
    ]));
    assert!(matches!(fails, Err(PatchError::DoesNotFit { .. })));
    let missing = ObjectPatch {
        object: 7,
        code: "rule".into(),
        operations: vec![],
    };
    assert!(matches!(
        apply(&[deployment()], &[missing], &grants()),
        Err(PatchError::NoSuchObject { .. })
    ));
}

fn object(kind: &str, spec: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "mcp-github", "labels": { "mcp.litellm.ai/server": "github" } }, "spec": spec })
}

/// Nobody granted it, and the API server would hand it on as it is.
#[test]
fn what_a_patch_sets_to_null_is_not_there() {
    let without_grants = PluginGrants::default();
    let by = |before: &Value, operations: Value| {
        let patch = ObjectPatch {
            object: 0,
            code: "rule".into(),
            operations: serde_json::from_value(operations).unwrap(),
        };
        apply(slice::from_ref(before), &[patch], &without_grants).map(|mut after| after.remove(0))
    };
    let server = object(
        "MCPServer",
        json!({ "config": { "a": null, "list": [{ "b": null }] } }),
    );
    for (path, value) in [
        ("/metadata/labels/team", json!(null)),
        ("/metadata/finalizers", json!(null)),
        ("/spec/limits", json!(null)),
        ("/spec/config/list/0/c", json!(null)),
    ] {
        let after = by(&server, json!([add(path, value)])).unwrap();
        assert_eq!(after, server, "{path}");
    }
    let mut with_annotations = server.clone();
    with_annotations["metadata"]["annotations"] = json!({});
    let annotated = json!([add("/metadata/annotations", json!({ "team": null }))]);
    assert_eq!(by(&server, annotated).unwrap(), with_annotations);
    let gone = by(
        &server,
        json!([add("/metadata/labels/mcp.litellm.ai~1server", json!(null))]),
    );
    assert!(
        matches!(gone, Err(PatchError::NotAllowed { .. })),
        "{gone:?}"
    );
    let config = by(&server, json!([add("/spec/config/a", json!(1))]));
    assert!(
        matches!(config, Err(PatchError::NotGranted { .. })),
        "{config:?}"
    );
}

fn add(path: &str, value: Value) -> Value {
    json!({ "op": "add", "path": path, "value": value })
}

/// Many small operations can nest a value too deeply, each one level below the one before.
#[test]
fn no_result_is_nested_deeply_enough_to_overflow_the_stack() {
    let server = || object("MCPServer", json!({}));
    let nested = |depth: usize| {
        let mut path = "/spec".to_owned();
        let operations = (0..depth).map(|_| {
            path.push_str("/a");
            add(&path, json!({}))
        });
        ObjectPatch {
            object: 0,
            code: "rule".into(),
            operations: operations
                .map(|operation| serde_json::from_value(operation).unwrap())
                .collect(),
        }
    };
    assert!(apply(&[server()], &[nested(100)], &grants()).is_ok());
    let refused = apply(&[server()], &[nested(4000)], &grants()).unwrap_err();
    assert!(
        refused.to_string().contains("more than 128 parts"),
        "{refused}"
    );
    let refused = apply(&[server()], &[nested(127)], &grants()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "rule rule nests MCPServer deeper than 127 levels"
    );
    let refused = apply(&[server()], &[nested(MAX_OPERATIONS + 1)], &grants()).unwrap_err();
    assert!(matches!(
        refused,
        PatchError::TooMany {
            what: "operations",
            ..
        }
    ));
    let none = ObjectPatch {
        object: 0,
        code: "rule".into(),
        operations: vec![],
    };
    let refused = apply(&[server()], &vec![none; MAX_PATCHES + 1], &grants()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "it answers with 1001 patches, 1000 are allowed"
    );
}

#[test]
fn the_error_names_every_rule_that_may_be_at_fault() {
    let patch = |code: &str, path: &str| ObjectPatch {
        object: 0,
        code: code.into(),
        operations: serde_json::from_value(json!([add(path, json!({}))])).unwrap(),
    };
    let refused = apply(
        &[deployment()],
        &[patch("a", "/metadata/labels"), patch("b", "/status")],
        &grants(),
    )
    .unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("one of the rules a and b changes status of Deployment, "),
        "{refused}"
    );
}
