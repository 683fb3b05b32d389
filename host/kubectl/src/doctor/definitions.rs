//! The custom resource definitions: there, served, and those of this version.

use std::collections::BTreeSet;

use kube::CustomResourceExt;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use serde_json::Value;

use super::installation::{Found, Installation, place};
use super::{Finding, certificate};
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
        findings.extend(what.map(|what: String| Finding::wrong(&place, what, REMEDY)));
        let found = installation.object(KIND, "", name).there();
        let conversion = found.and_then(|found| conversion(found, installation));
        findings.extend(conversion.map(|what| Finding::wrong(place, what, CONVERSION)));
    }
    findings
}

const CONVERSION: &str = "the operator that leads corrects it: its log says why not, such as a permission to patch the definition; until then take it out with `kubectl patch crd mcpservers.mcp.litellm.ai --type=json --patch='[{\"op\":\"remove\",\"path\":\"/spec/conversion\"}]'`";

/// Why the API server cannot have objects converted by the operator that it is told to ask.
fn conversion(found: &Value, installation: &Installation) -> Option<String> {
    let client = &found["spec"]["conversion"]["webhook"]["clientConfig"];
    let service = &client["service"];
    if service.is_null() {
        return None;
    }
    let (namespace, name) = installation.webhook_service()?;
    for (part, wanted) in [
        ("namespace", namespace.as_str()),
        ("name", &name),
        ("path", "/convert"),
    ] {
        if service[part] != wanted {
            return Some(format!(
                "it has MCPServers converted by a webhook with the {part} {}, and not {wanted}: they cannot be read in another version",
                service[part]
            ));
        }
    }
    let refused = certificate::refused_by(&client["caBundle"], installation)?;
    Some(format!(
        "by the caBundle of its conversion the API server refuses the certificate that is served: {refused}"
    ))
}

fn complaint(found: &Value, wanted: &Value) -> Option<String> {
    if !found["metadata"]["deletionTimestamp"].is_null() {
        return Some("it is being deleted, and with it all that it defines".into());
    }
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
    let (there, ours) = (
        Schema::of(version),
        Schema::of(&wanted["spec"]["versions"][0]),
    );
    // Of a field that is not there, its bounds are not missed too.
    let (there, ours) = if there.fields == ours.fields {
        (there.bounds, ours.bounds)
    } else {
        (there.fields, ours.fields)
    };
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

/// What a schema says of a field besides its type, and what may be compared: numbers are written in several ways.
const BOUNDS: [&str; 10] = [
    "default",
    "enum",
    "maximum",
    "minimum",
    "maxItems",
    "maxLength",
    "minLength",
    "pattern",
    "required",
    "x-kubernetes-preserve-unknown-fields",
];

fn bound(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or_default().to_string(),
        Value::Array(items) => {
            let mut items: Vec<String> = items.iter().map(bound).collect();
            items.sort();
            items.join(", ")
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, it)| format!("{name}: {}", bound(it)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// What the schema of a version has.
#[derive(Default)]
struct Schema {
    /// Every field, every rule, and every subresource.
    fields: BTreeSet<String>,
    /// What is said of them besides their types.
    bounds: BTreeSet<String>,
}

impl Schema {
    fn of(version: &Value) -> Self {
        let mut found = Self::default();
        let parts = version["subresources"].as_object().into_iter().flatten();
        let parts = parts.map(|(name, _)| format!("the subresource {name}"));
        found.fields.extend(parts);
        found.collect(&version["schema"]["openAPIV3Schema"], "");
        found
    }

    fn collect(&mut self, schema: &Value, path: &str) {
        for name in BOUNDS {
            if !schema[name].is_null() {
                let value = bound(&schema[name]);
                self.bounds.insert(format!("{name} {value} of {path}"));
            }
        }
        let rules = schema["x-kubernetes-validations"].as_array();
        for rule in rules.into_iter().flatten() {
            let rule = rule["rule"].as_str().unwrap_or_default();
            self.fields.insert(format!("the rule {rule:?} of {path}"));
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            self.collect(field, &path);
            self.fields.insert(path);
        }
        for (inner, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
            if schema[inner].is_object() {
                self.collect(&schema[inner], &format!("{path}{mark}"));
            }
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
