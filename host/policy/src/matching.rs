//! Which MCPServers a plugin is for.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use mcp_operator_api::v1alpha1::PluginMatch;

use super::context::PolicyContext;

/// Which MCPServers a plugin is for. An empty selector selects all.
#[derive(Clone, Debug, Default)]
pub(super) struct Matching {
    namespaces: Selector,
    objects: Selector,
}

impl Matching {
    /// Reads both selectors; the error names the one that cannot be used.
    pub(super) fn new(wanted: &PluginMatch) -> Result<Self, String> {
        Ok(Self {
            namespaces: selector("namespaceSelector", wanted.namespace_selector.as_ref())?,
            objects: selector("objectSelector", wanted.object_selector.as_ref())?,
        })
    }

    pub(super) fn includes(&self, context: &PolicyContext) -> bool {
        let namespace = context
            .namespace
            .as_ref()
            .map(|namespace| namespace.labels.clone())
            .unwrap_or_default();
        // What is deleted is selected by what it was.
        let object = context.object.as_ref().or(context.old_object.as_ref());
        let labels: BTreeMap<String, String> = object
            .and_then(|object| serde_json::from_value(object["metadata"]["labels"].clone()).ok())
            .unwrap_or_default();
        self.namespaces.matches(&namespace) && self.objects.matches(&labels)
    }
}

fn selector(field: &str, wanted: Option<&LabelSelector>) -> Result<Selector, String> {
    let wanted = wanted.cloned().unwrap_or_default();
    wanted
        .try_into()
        .map_err(|error| format!("spec.match.{field}: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{NamespaceFacts, Operation, Stage};

    fn context(namespace: &str, team: &str) -> PolicyContext {
        let labels = BTreeMap::from([("env".to_owned(), namespace.to_owned())]);
        PolicyContext {
            operation: Operation::Create,
            stage: Stage::Admission,
            object: Some(json!({ "metadata": { "labels": { "team": team } } })),
            old_object: None,
            name: "a".into(),
            namespace: Some(NamespaceFacts {
                name: "a".into(),
                labels,
                ..NamespaceFacts::default()
            }),
            user: None,
            dry_run: false,
            rendered: None,
        }
    }

    fn matching(wanted: serde_json::Value) -> Result<Matching, String> {
        Matching::new(&serde_json::from_value(wanted).unwrap())
    }

    #[test]
    fn both_selectors_must_agree() {
        let all = matching(json!({})).unwrap();
        assert!(all.includes(&context("prod", "a")));
        let some = matching(json!({
            "namespaceSelector": { "matchLabels": { "env": "prod" } },
            "objectSelector": { "matchExpressions": [{ "key": "team", "operator": "In", "values": ["a", "b"] }] },
        }))
        .unwrap();
        assert!(some.includes(&context("prod", "a")));
        assert!(!some.includes(&context("test", "a")));
        assert!(!some.includes(&context("prod", "c")));
    }

    #[test]
    fn a_selector_that_cannot_be_used_is_named() {
        let wrong = json!({ "objectSelector": { "matchExpressions": [{ "key": "team", "operator": "Like" }] } });
        assert!(
            matching(wrong)
                .unwrap_err()
                .starts_with("spec.match.objectSelector: ")
        );
    }
}
