//! What a plugin said, as JSON that people read and write.

use mcp_operator_policy::{ActivePlugin, Rejection};
use mcp_plugin_host::PluginError;
use mcp_plugin_host::contract::{Finding, Patch, PatchOperation, Severity};
use serde_json::{Map, Value, json};

/// What a plugin said about one question, by the names that test cases have for it: `findings`, `patches`, `result`, `reads`
/// and `plan`; or why it said nothing.
pub(crate) type Answer = Result<Map<String, Value>, Failure>;

/// Why there is no answer: a plugin failed, or the operator does not take what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One CamelCase word, as in conditions of the operator.
    pub(crate) category: String,
    /// One sentence.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(category: &str, message: impl Into<String>) -> Self {
        Self {
            category: category.to_owned(),
            message: message.into(),
        }
    }

    /// As in test cases.
    pub(crate) fn json(&self) -> Value {
        json!({ "category": self.category, "message": self.message })
    }
}

impl From<&PluginError> for Failure {
    fn from(error: &PluginError) -> Self {
        Self::new(error.category(), error.fault().to_string())
    }
}

impl From<&Rejection> for Failure {
    fn from(why: &Rejection) -> Self {
        Self::new(why.category, why.message.clone())
    }
}

/// A finding. What is empty or usual is left out.
pub(crate) fn finding(said: &Finding) -> Value {
    let mut members = Map::new();
    members.insert("code".into(), json!(said.code));
    members.insert("field".into(), json!(said.field));
    members.insert("type".into(), json!(said.error_type));
    if let Some(bad) = &said.bad_value {
        let read = serde_json::from_str(bad).unwrap_or_else(|_| json!(bad));
        members.insert("value".into(), read);
    }
    members.insert("message".into(), json!(said.message));
    if said.severity == Severity::Warning {
        members.insert("severity".into(), json!("warning"));
    }
    Value::Object(members)
}

pub(crate) fn findings(said: &[Finding]) -> Value {
    said.iter().map(finding).collect()
}

/// Patches, each with the kind of its object.
pub(crate) fn patches(said: &[Patch], objects: &[Value]) -> Value {
    let patch = |patch: &Patch| {
        let object = usize::try_from(patch.object)
            .ok()
            .and_then(|index| objects.get(index));
        let kind = object.map_or(Value::Null, |object| object["kind"].clone());
        let operations: Vec<Value> = patch.operations.iter().map(operation).collect();
        json!({ "kind": kind, "code": patch.code, "operations": operations })
    };
    said.iter().map(patch).collect()
}

fn operation(said: &PatchOperation) -> Value {
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    match said {
        PatchOperation::Add(change) => {
            json!({ "op": "add", "path": change.path, "value": value(&change.value) })
        }
        PatchOperation::Replace(change) => {
            json!({ "op": "replace", "path": change.path, "value": value(&change.value) })
        }
        PatchOperation::Remove(path) => json!({ "op": "remove", "path": path }),
    }
}

/// The objects with what a defaulter wants, as far as the operator lets it.
pub(crate) fn patched(
    plugin: &ActivePlugin,
    objects: &[Value],
    said: Vec<Patch>,
) -> Result<Vec<Value>, Failure> {
    plugin
        .patched(objects, said)
        .map_err(|why| Failure::new("PatchRefused", why))
}

#[cfg(test)]
mod tests {
    use mcp_plugin_host::contract::PathValue;

    use super::*;

    #[test]
    fn what_is_usual_is_left_out_and_values_are_read() {
        let mut said = Finding {
            code: "owner".into(),
            field: "metadata.labels[owner]".into(),
            error_type: "Required".into(),
            bad_value: None,
            message: "say who".into(),
            severity: Severity::Error,
        };
        assert_eq!(
            finding(&said),
            json!({ "code": "owner", "field": "metadata.labels[owner]", "type": "Required", "message": "say who" })
        );
        said.bad_value = Some("[1]".into());
        said.severity = Severity::Warning;
        assert_eq!(finding(&said)["value"], json!([1]));
        assert_eq!(finding(&said)["severity"], "warning");
    }

    #[test]
    fn patches_name_the_kind_of_their_object() {
        let said = Patch {
            object: 0,
            code: "c".into(),
            operations: vec![
                PatchOperation::Add(PathValue {
                    path: "/a".into(),
                    value: "{\"b\":1}".into(),
                }),
                PatchOperation::Remove("/c".into()),
            ],
        };
        let expected = json!([{ "kind": "Deployment", "code": "c", "operations": [
            { "op": "add", "path": "/a", "value": { "b": 1 } }, { "op": "remove", "path": "/c" },
        ] }]);
        assert_eq!(
            patches(&[said], &[json!({ "kind": "Deployment" })]),
            expected
        );
    }
}
