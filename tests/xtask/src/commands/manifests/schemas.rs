//! JSON schemas of what the chart makes, for kubeconform: of Kubernetes from the OpenAPI document of the version that the tests
//! run, of custom resources from their definitions. Unlike those that are published, they are there without a network.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mcp_cluster::{Cache, Definitions, module_sources};
use serde_json::{Map, Value, json};

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";
/// Where the document has a definition.
const REFERENCE: &str = "#/definitions/";

/// Writes them into the cache, one file for each kind, and returns the folder.
pub(super) fn write(cache: &Cache, checkout: &Path) -> Result<PathBuf> {
    let folder = cache.folder("schemas")?;
    let document = module_sources("k8s.io/kubernetes")?.join("api/openapi-spec/swagger.json");
    let document: Value = serde_json::from_str(&read(&document)?)
        .with_context(|| format!("{} is no JSON", document.display()))?;
    let definitions = document["definitions"]
        .as_object()
        .context("the OpenAPI document has no definitions")?;
    for (name, definition) in definitions {
        let kinds = definition["x-kubernetes-group-version-kind"].as_array();
        // Those of several groups are parts of objects, such as `DeleteOptions`.
        let [kind] = kinds.map(Vec::as_slice).unwrap_or_default() else {
            continue;
        };
        let text = |field: &str| kind[field].as_str().unwrap_or_default();
        let file = file_name(text("kind"), text("group"), text("version"));
        save(&folder.join(file), &standalone(definitions, name))?;
    }
    let others = Definitions::fetch()?;
    let ours = ["mcpservers", "mcpplugins"].map(|name| checkout.join(format!("crds/{name}.yaml")));
    let monitoring = [&others.service_monitors, &others.prometheus_rules];
    let files = ours.iter().chain(monitoring).chain(&others.cert_manager);
    for file in files {
        custom_resource(&folder, file)?;
    }
    Ok(folder)
}

fn custom_resource(folder: &Path, file: &Path) -> Result<()> {
    let crd: Value = serde_yaml_ng::from_str(&read(file)?)
        .with_context(|| format!("{} is no YAML", file.display()))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, group) = (
        text(&crd["spec"]["names"]["kind"]),
        text(&crd["spec"]["group"]),
    );
    let versions = crd["spec"]["versions"].as_array();
    for version in versions.with_context(|| format!("{} has no versions", file.display()))? {
        let mut schema = version["schema"]["openAPIV3Schema"].clone();
        strict(&mut schema);
        // What every object has is not always said there.
        for (field, kind) in [
            ("apiVersion", "string"),
            ("kind", "string"),
            ("metadata", "object"),
        ] {
            schema["properties"][field] = json!({ "type": kind });
        }
        schema["$schema"] = json!(DRAFT);
        save(
            &folder.join(file_name(&kind, &group, &text(&version["name"]))),
            &schema,
        )?;
    }
    Ok(())
}

/// As kubeconform asks for it: the kind, the first part of the group and the version.
fn file_name(kind: &str, group: &str, version: &str) -> String {
    let group = group.split('.').next().unwrap_or_default();
    let parts = [kind, group, version].map(str::to_lowercase);
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}.json", parts.join("-"))
}

/// The schema of a definition, with those that it refers to.
fn standalone(definitions: &Map<String, Value>, name: &str) -> Value {
    let (mut known, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
    let mut used = Map::new();
    while let Some(name) = open.pop() {
        let Some(definition) = definitions.get(&name) else {
            continue;
        };
        if known.insert(name.clone()) {
            references(definition, &mut open);
            let mut schema = definition.clone();
            strict(&mut schema);
            used.insert(name, schema);
        }
    }
    json!({ "$schema": DRAFT, "$ref": format!("{REFERENCE}{name}"), "definitions": used })
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(Value::as_str) {
                found.extend(name.strip_prefix(REFERENCE).map(str::to_owned));
            }
            members
                .values()
                .for_each(|member| references(member, found));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| references(entry, found)),
        _ => {}
    }
}

/// As the API server takes it: no fields that it does not know, and numbers in the place of quantities and ports.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(strict);
            let is_number_or_text = members
                .get("format")
                .is_some_and(|format| format == "int-or-string")
                || members
                    .get("x-kubernetes-int-or-string")
                    .is_some_and(|it| it == true)
                || members
                    .get("description")
                    .and_then(Value::as_str)
                    .is_some_and(|description| {
                        description.starts_with("Quantity is a fixed-point representation")
                    });
            if is_number_or_text {
                members.insert("type".into(), json!(["string", "number"]));
                members.remove("format");
                members.remove("anyOf");
            }
            let is_open = members.contains_key("additionalProperties")
                || members
                    .get("x-kubernetes-preserve-unknown-fields")
                    .is_some_and(|it| it == true);
            if members.get("properties").is_some_and(Value::is_object)
                && members.get("type").is_some_and(|kind| kind == "object")
                && !is_open
            {
                members.insert("additionalProperties".into(), json!(false));
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(strict),
        _ => {}
    }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn save(file: &Path, schema: &Value) -> Result<()> {
    fs::write(file, schema.to_string()).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_as_kubeconform_asks_for_them() {
        assert_eq!(file_name("Service", "", "v1"), "service-v1.json");
        assert_eq!(
            file_name("Role", "rbac.authorization.k8s.io", "v1"),
            "role-rbac-v1.json"
        );
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused_and_a_port_may_be_a_number() {
        let definitions = json!({
            "a.Outer": { "type": "object", "properties": { "inner": { "$ref": "#/definitions/a.Inner" } } },
            "a.Inner": { "type": "object", "properties": { "port": { "type": "string", "format": "int-or-string" } } },
            "a.Other": { "type": "object" },
        });
        let schema = standalone(definitions.as_object().unwrap(), "a.Outer");
        let used = &schema["definitions"];
        assert_eq!(used["a.Outer"]["additionalProperties"], false);
        assert_eq!(
            used["a.Inner"]["properties"]["port"]["type"],
            json!(["string", "number"])
        );
        assert!(used["a.Other"].is_null(), "nobody refers to it");
    }
}
