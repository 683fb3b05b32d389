//! The fields of an MCPServer in which two versions of it differ.

use std::fmt;

use serde_json::{Map, Value};

/// Where users and plugins say something; everything else in an MCPServer is the API server's or the operator's.
const ROOTS: [&[&str]; 3] = [
    &["metadata", "annotations"],
    &["metadata", "labels"],
    &["spec"],
];

/// A place in an object, by the names of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldPath<'a>(Vec<&'a str>);

impl<'a> FieldPath<'a> {
    /// The names from the top to the field.
    pub(crate) fn names(&self) -> &[&'a str] {
        &self.0
    }
}

/// As apimachinery writes it: `spec.resources.limits.cpu`, `metadata.labels[team]`.
impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = String::new();
        for (depth, name) in self.0.iter().enumerate() {
            let is_key = depth == 2 && self.0[0] == "metadata";
            path = if is_key {
                key(&path, name)
            } else {
                member(&path, name)
            };
        }
        f.write_str(&path)
    }
}

/// A member below a path. A name that could be taken for something else stands in brackets.
pub(super) fn member(path: &str, name: &str) -> String {
    if !is_plain(name) {
        return key(path, name);
    }
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{name}")
}

/// An entry of a map below a path.
pub(super) fn key(path: &str, name: &str) -> String {
    format!("{path}[{name}]")
}

/// Whether a name can be a part of a path in `spec.grants.fields`.
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The fields in which two versions of an MCPServer differ, by value: down to members that are no objects. What is added is
/// listed by its own members, since whoever adds one of them adds what holds it; what is removed is one field.
pub(crate) fn changed<'a>(before: &'a Value, after: &'a Value) -> Vec<FieldPath<'a>> {
    let mut found = Vec::new();
    for root in ROOTS {
        let at = |object: &'a Value| root.iter().try_fold(object, |value, name| value.get(name));
        walk(at(before), at(after), &mut root.to_vec(), &mut found);
    }
    found
}

fn walk<'a>(
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    path: &mut Vec<&'a str>,
    found: &mut Vec<FieldPath<'a>>,
) {
    let mut below = |before: Option<&'a Map<String, Value>>, after: &'a Map<String, Value>| {
        let removed = before.into_iter().flat_map(Map::keys);
        let removed = removed.filter(|name| !after.contains_key(*name));
        for name in after.keys().chain(removed) {
            path.push(name);
            let before = before.and_then(|members| members.get(name));
            walk(before, after.get(name), path, found);
            path.pop();
        }
    };
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => below(Some(before), after),
        (None, Some(Value::Object(after))) if !after.is_empty() => below(None, after),
        _ => found.push(FieldPath(path.clone())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn between(before: Value, after: Value) -> Vec<String> {
        let fields = changed(&before, &after);
        fields.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_differs_is_named_as_the_api_server_names_it() {
        let before = json!({ "metadata": { "labels": { "a": "1" } }, "spec": { "a": { "b": 1 }, "list": [1], "gone": { "x": 1 } } });
        let after = json!({
            "metadata": { "labels": { "a": "2", "acme.io/team": "x" }, "annotations": { "note": "y" } },
            "spec": { "a": { "b": 1, "c": { "d": 2, "nvidia.com/gpu": 1 } }, "list": [1, 2], "empty": {} },
            "status": { "phase": "Ready" },
        });
        assert_eq!(
            between(before, after),
            [
                "metadata.annotations[note]",
                "metadata.labels[a]",
                "metadata.labels[acme.io/team]",
                "spec.a.c.d",
                "spec.a.c[nvidia.com/gpu]",
                "spec.empty",
                "spec.list",
                "spec.gone",
            ]
        );
    }

    #[test]
    fn what_is_equal_or_nobodys_to_say_is_not_listed() {
        let server =
            json!({ "metadata": { "name": "a", "resourceVersion": "1" }, "spec": { "a": 1 } });
        let other =
            json!({ "metadata": { "name": "a", "resourceVersion": "2" }, "spec": { "a": 1 } });
        assert_eq!(between(server.clone(), server.clone()), [""; 0]);
        assert_eq!(between(server.clone(), other), [""; 0]);
        assert_eq!(between(server, json!({ "metadata": {} })), ["spec"]);
    }
}
