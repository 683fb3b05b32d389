//! The custom resource definitions: there, served, and those of this version.

use std::collections::BTreeSet;

use kube::CustomResourceExt;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use serde_json::Value;

use super::Finding;
use super::installation::{Found, Installation, place};
use crate::causes::conditions;

const KIND: &str = "CustomResourceDefinition";
const REMEDY: &str =
    "kubectl apply --server-side -k crds, of the version of the operator that runs";
/// Fields that are named; of more, the number.
const MOST: usize = 3;

/// The names of both.
pub(super) fn names() -> [&'static str; 2] {
    [McpServer::crd_name(), McpPlugin::crd_name()]
}

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let wanted = [McpServer::crd(), McpPlugin::crd()]
        .map(|crd| serde_json::to_value(crd).unwrap_or_default());
    let mut findings = Vec::new();
    for (name, wanted) in names().into_iter().zip(wanted) {
        let place = place(KIND, "", name);
        let what = match installation.object(KIND, "", name) {
            Found::Unread => continue,
            Found::Missing => {
                Some("it is not installed, and nothing can be said in its words".into())
            }
            Found::There(found) => complaint(found, &wanted),
        };
        findings.extend(what.map(|what: String| Finding::wrong(place, what, REMEDY)));
    }
    findings
}

fn complaint(found: &Value, wanted: &Value) -> Option<String> {
    let name = wanted["spec"]["versions"][0]["name"]
        .as_str()
        .unwrap_or_default();
    let is_wanted = |version: &&Value| version["name"] == name && version["served"] == true;
    let versions = found["spec"]["versions"].as_array();
    let Some(version) = versions.and_then(|all| all.iter().find(is_wanted)) else {
        return Some(format!("it does not serve the version {name}"));
    };
    let conditions = conditions(found);
    if let Some(refused) = conditions.iter().find(|it| {
        ["Established", "NamesAccepted"].contains(&it.type_.as_str()) && it.status == "False"
    }) {
        return Some(format!("it is not served: {}", refused.message));
    }
    let schema = |version: &Value| {
        let mut fields = BTreeSet::new();
        collect(&version["schema"]["openAPIV3Schema"], "", &mut fields);
        fields
    };
    let (there, ours) = (schema(version), schema(&wanted["spec"]["versions"][0]));
    let missing: Vec<&String> = ours.difference(&there).collect();
    let unknown: Vec<&String> = there.difference(&ours).collect();
    match (missing.as_slice(), unknown.as_slice()) {
        ([], []) => None,
        ([], unknown) => Some(format!(
            "it is newer than this program: it also has {}",
            some(unknown)
        )),
        (missing, _) => Some(format!(
            "it is of another version: it lacks {}",
            some(missing)
        )),
    }
}

/// Every field and every rule of a schema.
fn collect(schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    let rules = schema["x-kubernetes-validations"].as_array();
    for rule in rules.into_iter().flatten() {
        let rule = rule["rule"].as_str().unwrap_or_default();
        fields.insert(format!("the rule {rule:?} of {path}"));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        collect(field, &path, fields);
        fields.insert(path);
    }
    for (inner, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[inner].is_object() {
            collect(&schema[inner], &format!("{path}{mark}"), fields);
        }
    }
}

fn some(fields: &[&String]) -> String {
    let named: Vec<&str> = fields
        .iter()
        .take(MOST)
        .map(|field| field.as_str())
        .collect();
    match fields.len().saturating_sub(MOST) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
