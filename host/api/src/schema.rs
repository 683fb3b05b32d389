//! Schemas that cannot be derived from a Rust type.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::v1alpha1::DefaultedField;

/// `MCPServer.spec.config`: any JSON object, kept as it is. Each of its names becomes an environment variable and a key of
/// a ConfigMap. How large it may be no schema can say: the operator's own rule does.
pub(crate) fn config(_: &mut SchemaGenerator) -> Schema {
    free_form_object(512)
}

/// `MCPPlugin.spec.settings`: any JSON object, kept as it is. The plugin itself judges what is in it.
pub(crate) fn settings(_: &mut SchemaGenerator) -> Schema {
    free_form_object(256)
}

fn free_form_object(members: u32) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "maxProperties": members,
    })
}

/// A resource quantity such as `100m` or `512Mi`. Kubernetes takes numbers as well as text.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "anyOf": [{ "type": "integer" }, { "type": "string" }],
        "pattern": r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$",
        // Longer ones say nothing: Kubernetes reads no more than 18 digits.
        "maxLength": 32,
        "description": "Resource quantity, for example `100m` (CPU) or `512Mi` (memory).",
    })
}

/// A number or a percentage such as `50%`. A number in quotes is neither: Kubernetes refuses it in what is built.
pub(crate) fn int_or_percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "anyOf": [{ "type": "integer" }, { "type": "string" }],
        "pattern": "^([1-9]?[0-9]|100)%$",
        "maxLength": 8,
    })
}

/// Labels of nodes. What a key may be no schema can say: the operator's own rule does.
pub(crate) fn node_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        },
    })
}

/// Conditions: a list that is a map by type, so that two writers can each keep their own. With the lengths that Kubernetes
/// itself gives them, which its Rust types do not know.
pub(crate) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let mut item = generator.subschema_for::<Condition>();
    for (field, longest) in [
        ("type", 316),
        ("reason", 1024),
        ("message", 32_768),
        ("status", 16),
    ] {
        if let Some(field) = item.pointer_mut(&format!("/properties/{field}")) {
            field["maxLength"] = longest.into();
        }
    }
    json_schema!({
        "type": "array",
        "items": item,
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

/// What plugins set: a list that is a map by field.
pub(crate) fn defaults(generator: &mut SchemaGenerator) -> Schema {
    let item = generator.subschema_for::<DefaultedField>();
    json_schema!({
        "type": "array",
        "items": item,
        "maxItems": 64,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["field"],
    })
}

/// A label selector, of which no name and no value is longer than that of a label (253 characters, `/` and 63).
pub(crate) fn label_selector(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator
        .subschema_for::<Option<LabelSelector>>()
        .to_value();
    bound(&mut schema, 317, 64);
    Schema::try_from(schema).unwrap_or_default()
}

/// Bounds every text, list and map inside a schema.
fn bound(schema: &mut Value, longest: u32, most: u32) {
    let kind = schema["type"].clone();
    let is = |wanted: &str| {
        kind == wanted
            || kind
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == wanted))
    };
    if is("string") {
        schema["maxLength"] = longest.into();
    }
    if is("array") {
        schema["maxItems"] = most.into();
    }
    if is("object") && schema["additionalProperties"].is_object() {
        schema["maxProperties"] = most.into();
    }
    match schema {
        Value::Object(members) => {
            for member in members.values_mut() {
                bound(member, longest, most);
            }
        }
        Value::Array(items) => {
            for item in items {
                bound(item, longest, most);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;

    use super::*;
    use crate::v1alpha1::{McpPlugin, McpServer};

    /// Places without an upper end. `status` is written by the operator alone; its counters are the API server's own.
    fn unbounded(schema: &Value, path: &str, found: &mut Vec<String>) {
        let has = |keyword: &str| !schema[keyword].is_null();
        let ends = match schema["type"].as_str() {
            Some("string") => has("maxLength") || has("enum") || schema["format"] == "date-time",
            Some("array") => has("maxItems"),
            Some("integer" | "number") => has("maximum") || path.starts_with(".status"),
            Some("object") => has("properties") || has("maxProperties"),
            Some("boolean") => true,
            None => schema["x-kubernetes-int-or-string"] == true && has("maxLength"),
            Some(_) => false,
        };
        if !ends {
            found.push(path.to_owned());
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            unbounded(member, &format!("{path}.{name}"), found);
        }
        for (keyword, place) in [("items", "[]"), ("additionalProperties", "{}")] {
            if has(keyword) {
                unbounded(&schema[keyword], &format!("{path}{place}"), found);
            }
        }
    }

    #[test]
    fn everything_has_an_upper_end() {
        for definition in [McpServer::crd(), McpPlugin::crd()] {
            let definition = serde_json::to_value(definition).unwrap();
            let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            assert!(schema["properties"]["spec"]["properties"].is_object());
            let mut found = Vec::new();
            unbounded(schema, "", &mut found);
            assert!(found.is_empty(), "{found:#?}");
        }
    }

    fn formats(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(members) => {
                found.extend(
                    members
                        .get("format")
                        .and_then(Value::as_str)
                        .map(Into::into),
                );
                members.values().for_each(|member| formats(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| formats(item, found)),
            _ => {}
        }
    }

    /// Of another one the API server warns everybody who applies the definition.
    #[test]
    fn every_format_is_one_that_kubernetes_knows() {
        for definition in [McpServer::crd(), McpPlugin::crd()] {
            let definition = serde_json::to_value(definition).unwrap();
            let mut found = Vec::new();
            formats(&definition, &mut found);
            found.retain(|format| {
                !["date-time", "double", "int32", "int64"].contains(&format.as_str())
            });
            assert!(found.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn what_has_no_upper_end_is_found() {
        for schema in [
            json_schema!({ "type": "string", "pattern": "a" }),
            json_schema!({ "type": "array", "maxItems": 1, "items": { "type": "string" } }),
            json_schema!({ "type": "object", "maxProperties": 1, "additionalProperties": { "type": "integer" } }),
            json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }),
            json_schema!({ "x-kubernetes-int-or-string": true }),
        ] {
            let mut found = Vec::new();
            unbounded(schema.as_value(), ".spec", &mut found);
            assert_eq!(found.len(), 1, "{schema:?}");
        }
    }
}
