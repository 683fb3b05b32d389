//! Whether kustomize installs what Helm does: the same objects, whoever makes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use mcp_cluster::capture;
use serde::Deserialize as _;
use serde_json::Value;

use super::helm::Helm;
use super::{CERT_MANAGER, MONITORING, TENANTS};

/// Objects by kind, namespace and name.
type Objects = BTreeMap<String, Value>;

/// Compares folders of kustomize with the chart, and says how many those were.
pub(super) fn compare(kubectl: &Path, helm: &Helm, checkout: &Path) -> Result<usize> {
    let monitored = [&CERT_MANAGER[..], &MONITORING].concat();
    let admin_api = ["plugins.litellm-admin-api.enabled=true"];
    let folders: [(&str, &[&str]); 4] = [
        ("deploy/base", &[]),
        ("deploy/overlays/litellm-admin-api", &admin_api),
        ("deploy/overlays/monitored", &monitored),
        ("deploy/overlays/tenant-namespaces", &TENANTS),
    ];
    for (folder, values) in folders {
        let mut command = Command::new(kubectl);
        command.arg("kustomize").arg(checkout.join(folder));
        let mut made = objects(&capture(&mut command)?)?;
        // Helm makes the namespace by an option, or takes one that is there.
        made.retain(|name, _| !name.starts_with("Namespace "));
        let wanted = objects(&helm.template(values)?)?;
        let names = made.keys().chain(wanted.keys());
        if let Some(name) = names
            .into_iter()
            .find(|name| made.get(*name) != wanted.get(*name))
        {
            bail!("{folder} and the chart with {values:?} do not make the same {name}");
        }
    }
    Ok(folders.len())
}

fn objects(text: &str) -> Result<Objects> {
    let mut objects = Objects::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let object = Value::deserialize(document).context("an object is no YAML")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        if !object.is_null() {
            objects.insert(
                format!("{} {namespace}/{name}", text(&object["kind"])),
                object,
            );
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_known_by_kind_and_name_and_what_is_empty_is_none() {
        let text = "---\n# nothing\n---\nkind: Role\nmetadata: {name: a, namespace: b}\n---\nkind: Role\nmetadata: {name: a}\n";
        let found = objects(text).unwrap();
        let names: Vec<&String> = found.keys().collect();
        assert_eq!(names, ["Role /a", "Role b/a"]);
    }
}
