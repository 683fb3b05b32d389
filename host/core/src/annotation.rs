//! Annotations of objects as JSON.

use serde_json::{Map, Value};

/// Sets an annotation of an object that may have none yet.
pub fn annotate(object: &mut Value, name: &str, value: &str) {
    let Some(metadata) = object["metadata"].as_object_mut() else {
        return;
    };
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = Map::new().into();
    }
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(name.into(), value.into());
    }
}
