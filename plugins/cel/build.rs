//! The fields of an MCPServer, from its definition, in the shortest form that tells whether a path is one:
//! `0` is a value without fields, `1` anything, `[item]` a list, `{"*": value}` a map, `{"name": field}` an object.

use std::{env, error::Error, fs, path::Path};

use serde_json::{Map, Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let definition = "../../crds/mcpservers.yaml";
    println!("cargo::rerun-if-changed={definition}");
    println!("cargo::rerun-if-changed=build.rs");
    let definition: Value = serde_yaml_ng::from_str(&fs::read_to_string(definition)?)?;
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut fields = node(schema);
    let map = json!({ "*": 0 });
    fields["metadata"] = json!({
        "name": 0, "generateName": 0, "namespace": 0, "uid": 0, "resourceVersion": 0, "generation": 0,
        "creationTimestamp": 0, "deletionTimestamp": 0, "deletionGracePeriodSeconds": 0, "selfLink": 0,
        "labels": map, "annotations": map, "finalizers": [0],
        "ownerReferences": [{ "apiVersion": 0, "kind": 0, "name": 0, "uid": 0, "controller": 0, "blockOwnerDeletion": 0 }],
    });
    fs::write(
        Path::new(&env::var("OUT_DIR")?).join("fields.json"),
        fields.to_string(),
    )?;
    Ok(())
}

fn node(schema: &Value) -> Value {
    if let Some(properties) = schema["properties"].as_object() {
        if schema["x-kubernetes-preserve-unknown-fields"] == json!(true) {
            return json!(1);
        }
        let fields: Map<String, Value> = properties
            .iter()
            .map(|(name, field)| (name.clone(), node(field)))
            .collect();
        return Value::Object(fields);
    }
    if schema["additionalProperties"].is_object() {
        return json!({ "*": node(&schema["additionalProperties"]) });
    }
    match schema["type"].as_str() {
        Some("array") => json!([node(&schema["items"])]),
        Some("string" | "integer" | "number" | "boolean") => json!(0),
        _ => json!(1),
    }
}
