use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use serde_json::json;

use super::*;

fn server(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": name, "namespace": "tools" }, "spec": spec,
    })
}

fn messages(name: &str, mut spec: Value) -> Vec<String> {
    if spec.get("image").is_none() {
        spec["image"] = json!({ "repository": "ghcr.io/acme/mcp" });
    }
    let definition = Definition::of::<McpServer>().unwrap();
    let decoded = definition.decode(&server(name, spec)).unwrap();
    let errors = definition.violations(&decoded).unwrap();
    errors.iter().map(ToString::to_string).collect()
}

/// The types have defaults of their own: those of the schema must be the same.
#[test]
fn the_defaults_of_the_schema_are_those_of_the_types() {
    let object = server(
        "a",
        json!({ "image": { "repository": "x" }, "autoscaling": { "maxReplicas": 3 }, "secrets": [{ "name": "a" }] }),
    );
    let typed: McpServer = serde_json::from_value(object.clone()).unwrap();
    let decoded = Definition::of::<McpServer>()
        .unwrap()
        .decode(&object)
        .unwrap();
    let mut filled: McpServer = serde_json::from_value(decoded.clone()).unwrap();
    let status = filled.status.take().unwrap();
    assert!(!status.is_written(), "nobody has looked at it");
    assert_eq!(filled, typed);
    assert_eq!(
        serde_json::to_value(&typed).unwrap()["spec"],
        without_empty(&decoded["spec"])
    );
}

/// The types leave empty objects out.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), without_empty(value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn fields_that_do_not_exist_are_named() {
    let mut object = server("a", json!({ "replica": 2, "config": { "any": "thing" } }));
    object["metadata"]["label"] = json!({});
    let error = Definition::of::<McpServer>()
        .unwrap()
        .decode(&object)
        .unwrap_err();
    assert_eq!(
        error,
        r#"MCPServer in version "v1alpha1" cannot be handled as a MCPServer: strict decoding error: unknown field "metadata.label", unknown field "spec.replica""#
    );
}

#[test]
fn rules_of_the_schema_are_evaluated() {
    for (spec, expected) in [
        (
            json!({ "path": "mcp" }),
            "spec.path: Invalid value: must begin with '/'",
        ),
        (
            json!({ "podDisruptionBudget": { "minAvailable": 1, "maxUnavailable": 1 } }),
            "spec.podDisruptionBudget: Invalid value: minAvailable and maxUnavailable exclude each other",
        ),
        (
            json!({ "autoscaling": { "minReplicas": 3, "maxReplicas": 2 } }),
            "spec.autoscaling: Invalid value: minReplicas must not be greater than maxReplicas",
        ),
        (
            json!({ "observability": { "tracing": { "jaegerEndpoint": "jaeger:4318" } } }),
            "spec.observability.tracing.jaegerEndpoint: Invalid value: must be an http:// or https:// URL",
        ),
        (
            json!({ "env": [{ "name": "A", "valueFrom": {} }] }),
            "spec.env[0].valueFrom: Invalid value: exactly one of secretKeyRef and configMapKeyRef must be given",
        ),
    ] {
        assert_eq!(messages("a", spec), [expected]);
    }
    assert_eq!(messages("a", json!({ "path": "/mcp" })), [""; 0]);
    let refreshed = |interval: &str| {
        let spec = json!({ "secretStore": { "refreshInterval": interval } });
        messages("a", spec)
    };
    for interval in ["0", "1h", "1h30m", "0.5h", "90s"] {
        assert_eq!(refreshed(interval), [""; 0], "{interval}");
    }
    // External Secrets would refuse what it reads as no duration, long after admission.
    for interval in ["1d", "1", "daily", "1h ", ""] {
        let found = refreshed(interval);
        assert!(
            found[0].starts_with("spec.secretStore.refreshInterval: "),
            "{found:?}"
        );
    }
    let long = messages(&"a".repeat(51), json!({}));
    assert_eq!(
        long,
        [
            "<nil>: Invalid value: metadata.name must be at most 50 characters: names of the objects and labels are made from it"
        ]
    );
}

#[test]
fn rules_are_left_out_where_the_schema_is_broken() {
    assert_eq!(
        messages("a", json!({ "path": "mcp", "transport": "stdio" })),
        [
            r#"spec.transport: Unsupported value: "stdio": supported values: "sse", "http""#,
            "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
        ]
    );
}

/// A keyword that is new in a definition would be passed over in silence.
#[test]
fn every_keyword_of_the_schemas_is_known() {
    const KNOWN: [&str; 28] = [
        "additionalProperties",
        "anyOf",
        "default",
        "description",
        "enum",
        "fieldPath",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "message",
        "minItems",
        "minLength",
        "minimum",
        "nullable",
        "pattern",
        "properties",
        "required",
        "rule",
        "title",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ];
    fn visit(schema: &Value, unknown: &mut Vec<String>) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            match keyword.as_str() {
                "properties" => value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, value)| visit(value, unknown)),
                "items" | "additionalProperties" => visit(value, unknown),
                // Only the empty alternatives that go with `x-kubernetes-int-or-string`.
                "anyOf" if *value != json!([{}, {}]) => unknown.push(format!("anyOf {value}")),
                known if KNOWN.contains(&known) => {}
                other => unknown.push(other.to_owned()),
            }
        }
    }
    let mut unknown = Vec::new();
    for definition in [
        Definition::of::<McpServer>().unwrap(),
        Definition::of::<McpPlugin>().unwrap(),
    ] {
        visit(&definition.schema, &mut unknown);
    }
    assert_eq!(unknown, [""; 0]);
}

/// Without its schema, everything would be in order.
#[test]
fn a_definition_without_a_schema_is_an_error_that_names_the_field() {
    let error = |change: fn(&mut CustomResourceDefinition)| {
        let mut definition = McpServer::crd();
        change(&mut definition);
        Definition::read(definition).err().unwrap().to_string()
    };
    assert_eq!(
        error(|definition| definition.spec.versions.clear()),
        "spec.versions of CustomResourceDefinition mcpservers.mcp.litellm.ai is empty"
    );
    assert_eq!(
        error(|definition| definition.spec.versions[0].schema = None),
        "spec.versions[0].schema.openAPIV3Schema of CustomResourceDefinition mcpservers.mcp.litellm.ai is missing"
    );
}
