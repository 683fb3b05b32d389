//! Fields that a schema does not know.

use serde_json::Value;

use super::{child, is_free_form, member};

/// What every object has besides what its schema says.
const OF_EVERY_OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Paths of the fields that the schema does not know, sorted.
pub(crate) fn unknown(schema: &Value, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    visit(schema, &mut object.clone(), "", &mut found);
    found.sort();
    found
}

/// Takes out what the schema does not know, as the API server does with what a webhook added.
pub(crate) fn remove_unknown(schema: &Value, object: &mut Value) {
    visit(schema, object, "", &mut Vec::new());
}

fn visit(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.retain(|name, value| {
            if path.is_empty() && OF_EVERY_OBJECT.contains(&name.as_str()) {
                return true;
            }
            let path = child(path, name);
            match member(schema, name) {
                Some(schema) => visit(schema, value, &path, unknown),
                None if is_free_form(schema) => {}
                None => {
                    unknown.push(path);
                    return false;
                }
            }
            true
        }),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                visit(&schema["items"], item, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}
