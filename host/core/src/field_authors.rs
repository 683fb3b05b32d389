//! Which plugin set which field of an MCPServer.
//!
//! What a defaulter sets at reconcile stands nowhere but in the objects. What it sets at admission is stored as if the user
//! had written it, so an annotation remembers it, as Kubernetes' own LimitRanger does: it outlives restarts, and the webhook
//! alone writes it. Both are shown in the status.

use std::collections::BTreeMap;

use mcp_operator_api::names::annotations::DEFAULTS;
use mcp_operator_api::v1alpha1::DefaultedField;
use serde_json::Value;

use crate::annotation::annotate;
use crate::patch::changed_fields::changed;

/// How many fields are remembered and shown. Of more, these are the first by name.
const MOST: usize = 64;
/// The longest field that is, in bytes.
const LONGEST: usize = 512;

/// By field, the plugin that set it last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldAuthors(BTreeMap<String, String>);

impl FieldAuthors {
    /// What the webhook has noted on a server.
    pub fn noted(server: &Value) -> Self {
        let text = server["metadata"]["annotations"][DEFAULTS].as_str();
        let noted = text.and_then(|text| serde_json::from_str(text).ok());
        Self(noted.unwrap_or_default()).bounded()
    }

    /// Records what a plugin made of a server.
    pub fn record(&mut self, plugin: &str, before: &Value, after: &Value) {
        for field in changed(before, after) {
            self.0.insert(field.to_string(), plugin.to_owned());
        }
    }

    /// Leaves only what is another value in the end than before all plugins.
    #[must_use]
    pub fn of_difference(mut self, before: &Value, after: &Value) -> Self {
        let differing = changed(before, after);
        let differing: Vec<String> = differing.iter().map(ToString::to_string).collect();
        self.0.retain(|field, _| differing.contains(field));
        self.bounded()
    }

    /// What is known after a request, of which plugins `set` something: what was noted before, as far as the user has not
    /// changed it since, comes first. What the request itself says of it does not count.
    #[must_use]
    pub fn after_request(old: Option<&Value>, requested: &Value, set: Self) -> Self {
        let mut noted = old.map(Self::noted).unwrap_or_default();
        if let Some(old) = old.filter(|_| !noted.0.is_empty()) {
            let said = changed(old, requested);
            let said: Vec<String> = said.iter().map(ToString::to_string).collect();
            noted
                .0
                .retain(|field, _| !said.iter().any(|said| overlap(said, field)));
        }
        noted.and(set)
    }

    /// With what was set later.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self.bounded()
    }

    /// Notes it on the server; nothing is noted where there is nothing.
    pub fn note(&self, server: &mut Value) {
        if self.0.is_empty() {
            let annotations = server.pointer_mut("/metadata/annotations");
            let annotations = annotations.and_then(Value::as_object_mut);
            annotations.map(|annotations| annotations.remove(DEFAULTS));
        } else {
            annotate(server, DEFAULTS, &serde_json::json!(self.0).to_string());
        }
    }

    /// As the status shows it.
    pub fn into_status(self) -> Vec<DefaultedField> {
        let fields = self.0.into_iter();
        fields
            .map(|(field, plugin)| DefaultedField { field, plugin })
            .collect()
    }

    fn bounded(self) -> Self {
        let short = self
            .0
            .into_iter()
            .filter(|(field, plugin)| field.len() <= LONGEST && plugin.len() <= LONGEST);
        Self(short.take(MOST).collect())
    }
}

/// Whether one of two fields is the other, or holds it.
fn overlap(one: &str, other: &str) -> bool {
    let holds = |outer: &str, inner: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    holds(one, other) || holds(other, one)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn server(spec: Value) -> Value {
        json!({ "kind": "MCPServer", "metadata": { "name": "a" }, "spec": spec })
    }

    fn shown(authors: FieldAuthors) -> Vec<(String, String)> {
        let fields = authors.into_status().into_iter();
        fields.map(|set| (set.field, set.plugin)).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = expected.iter();
        owned
            .map(|(field, plugin)| ((*field).into(), (*plugin).into()))
            .collect()
    }

    #[test]
    fn each_field_has_the_plugin_that_set_it_last() {
        let written = server(json!({ "port": 1, "path": "/mcp" }));
        let first = server(json!({ "port": 2, "path": "/a", "replicas": 2 }));
        let second = server(json!({ "port": 3, "path": "/mcp", "replicas": 2 }));
        let mut authors = FieldAuthors::default();
        authors.record("a", &written, &first);
        authors.record("b", &first, &second);
        let authors = authors.of_difference(&written, &second);
        // The path is again what the user wrote.
        assert_eq!(
            shown(authors),
            pairs(&[("spec.port", "b"), ("spec.replicas", "a")])
        );
    }

    /// From request to request, as a webhook sees them.
    #[test]
    fn what_was_set_at_admission_is_known_until_the_user_says_otherwise() {
        let set = |before: &Value, after: &Value| {
            let mut authors = FieldAuthors::default();
            authors.record("sizes", before, after);
            authors
        };
        let written = server(json!({ "port": 1 }));
        let mut stored = server(
            json!({ "port": 1, "resources": { "limits": { "cpu": "1", "memory": "1Gi" } } }),
        );
        FieldAuthors::after_request(None, &written, set(&written, &stored)).note(&mut stored);
        let both = pairs(&[
            ("spec.resources.limits.cpu", "sizes"),
            ("spec.resources.limits.memory", "sizes"),
        ]);
        assert_eq!(shown(FieldAuthors::noted(&stored)), both);

        // Another field changes, and the annotation is forged.
        let mut request = stored.clone();
        request["spec"]["port"] = json!(2);
        request["metadata"]["annotations"][DEFAULTS] = json!("{\"spec.image\":\"sizes\"}");
        let authors = FieldAuthors::after_request(Some(&stored), &request, FieldAuthors::default());
        assert_eq!(shown(authors), both);

        // The user says what one of them is.
        let mut request = stored.clone();
        request["spec"]["resources"]["limits"]["cpu"] = json!("2");
        let authors = FieldAuthors::after_request(Some(&stored), &request, FieldAuthors::default());
        assert_eq!(shown(authors), both[1..]);

        // All of it is taken away at once.
        let mut request = stored.clone();
        request["spec"] = json!({ "port": 1 });
        let authors = FieldAuthors::after_request(Some(&stored), &request, FieldAuthors::default());
        authors.note(&mut request);
        assert_eq!(request["metadata"]["annotations"], json!({}));
    }

    #[test]
    fn what_a_new_server_says_of_itself_is_not_believed() {
        let mut request = server(json!({}));
        request["metadata"]["annotations"] =
            json!({ DEFAULTS: "{\"spec.image\":\"validation\"}", "note": "x" });
        FieldAuthors::after_request(None, &request, FieldAuthors::default()).note(&mut request);
        assert_eq!(request["metadata"]["annotations"], json!({ "note": "x" }));
    }

    #[test]
    fn it_is_bounded_whatever_is_written() {
        let names = (0..1000).map(|index| (format!("field{index}"), json!(index)));
        let after = server(names.collect::<Map<String, Value>>().into());
        let mut authors = FieldAuthors::default();
        authors.record("a", &server(json!({})), &after);
        let authors = authors.of_difference(&server(json!({})), &after);
        assert_eq!(authors.into_status().len(), MOST);
        for text in ["", "[]", "{\"a\": 1}", &"{".repeat(10_000)] {
            let mut noted = server(json!({}));
            noted["metadata"]["annotations"] = json!({ DEFAULTS: text });
            assert_eq!(FieldAuthors::noted(&noted), FieldAuthors::default());
        }
    }
}
