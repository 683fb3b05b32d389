//! Objects that a plugin completes. Its changes are the diff of the object before and after.

use std::collections::BTreeMap;

use json_patch::Patch;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{McpServer, Stage};

/// The input of [`Defaulter::complete`](crate::Defaulter::complete) besides the object.
#[derive(Clone, Debug)]
pub struct DefaultingRequest {
    /// Why the call is made.
    pub stage: Stage,
    /// The MCPServer that the object is made of, or that is the object.
    pub server: McpServer,
    pub(crate) context: BTreeMap<String, String>,
}

impl DefaultingRequest {
    /// A value that [`Description::context`](crate::Description::context) asked for. `None` if the operator does not have
    /// it, or if it is not a `T`.
    pub fn context<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.context.get(name)?).ok()
    }
}

/// One object to complete, with the changes of each rule.
#[derive(Clone, Debug)]
pub struct Object {
    value: Value,
    changes: Vec<(String, Patch)>,
}

impl Object {
    /// An object without changes.
    pub fn new(value: Value) -> Self {
        Self {
            value,
            changes: Vec::new(),
        }
    }

    /// Its kind, such as `Deployment`; empty if it has none.
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// The object with all changes so far.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Applies the change of the rule with this code. A change without effect is not recorded.
    pub fn apply(&mut self, code: &str, change: impl FnOnce(&mut Value)) {
        let before = self.value.clone();
        change(&mut self.value);
        let difference = json_patch::diff(&before, &self.value);
        if !difference.0.is_empty() {
            self.changes.push((code.to_owned(), difference));
        }
    }

    pub(crate) fn into_changes(self) -> Vec<(String, Patch)> {
        self.changes
    }
}

/// Sets the member at `path` unless it has a value other than `null`. Missing parents are created; if a parent is not an
/// object, nothing changes.
pub fn set_default(object: &mut Value, path: &[&str], default: Value) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut place = object;
    for parent in parents {
        let Some(members) = members(place) else {
            return;
        };
        place = members.entry(*parent).or_insert(Value::Null);
    }
    if let Some(members) = members(place) {
        let member = members.entry(*last).or_insert(Value::Null);
        if member.is_null() {
            *member = default;
        }
    }
}

fn members(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

/// An MCPServer as rules read it that look whether something is there: without notes of who manages which field, which are most
/// of it, and without members that are `null`. The API server keeps those where a field may be null, and the operator takes them
/// for absent. Values below `spec.config` are the server's own, and stay.
pub fn normalized(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let config = object
        .pointer_mut("/spec/config")
        .map(Value::take)
        .filter(|config| !config.is_null());
    remove_nulls(&mut object);
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    if let (Some(spec), Some(config)) = (spec, config) {
        spec.insert("config".into(), config);
    }
    object
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_default_never_overrules() {
        let mut object = json!({ "spec": { "a": 1, "text": "x" } });
        set_default(&mut object, &["spec", "a"], json!(2));
        set_default(&mut object, &["spec", "deep", "b"], json!(3));
        set_default(&mut object, &["spec", "text", "c"], json!(4));
        assert_eq!(
            object,
            json!({ "spec": { "a": 1, "text": "x", "deep": { "b": 3 } } })
        );
    }

    #[test]
    fn a_change_without_effect_is_not_recorded() {
        let mut object = Object::new(json!({ "kind": "Service", "spec": { "a": 1 } }));
        object.apply("one", |value| set_default(value, &["spec", "a"], json!(2)));
        object.apply("two", |value| set_default(value, &["spec", "b"], json!(2)));
        let changes = object.into_changes();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].0, "two");
    }
}
