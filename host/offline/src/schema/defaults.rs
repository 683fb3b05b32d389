//! Defaults of a schema.

use serde_json::Value;

use super::member;

/// Fills in the defaults of the schema, also inside of objects that are themselves a default. A null where the schema
/// allows none counts as absent.
pub(crate) fn fill_in(schema: &Value, object: &mut Value) {
    match object {
        Value::Object(members) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if members
                    .get(name)
                    .is_some_and(|value| is_absent(property, value))
                {
                    members.remove(name);
                }
                if let Some(default) = property.get("default") {
                    members
                        .entry(name.as_str())
                        .or_insert_with(|| default.clone());
                }
            }
            members.retain(|name, value| {
                member(schema, name).is_none_or(|schema| !is_absent(schema, value))
            });
            for (name, value) in members {
                if let Some(schema) = member(schema, name) {
                    fill_in(schema, value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                fill_in(&schema["items"], item);
            }
        }
        _ => {}
    }
}

fn is_absent(schema: &Value, value: &Value) -> bool {
    value.is_null() && schema["nullable"] != true
}
