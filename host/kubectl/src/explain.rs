//! `kubectl mcp explain NAME [FIELD]`: who set the fields of an MCPServer, and who else writes into its objects.

mod authors;
mod fields;

use std::fmt::Write;

use anyhow::{Result, bail};
use kube::CustomResourceExt;
use mcp_operator_api::names::field_managers as ours;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::ManagedKind;
use serde::Serialize;
use serde_json::Value;
use strum::IntoEnumIterator;

use self::authors::{Author, Authors};
use self::fields::{Field, holds, owned, set_fields};
use crate::cluster::Cluster;
use crate::tree::objects;
use crate::view::{Style, Table, Tone, View, harmless, not_read, text};

/// What is written into an object by these is the operator's, or says what it has come to.
const NOT_OTHERS: [&str; 7] = [
    ours::SERVER,
    ours::AUTOSCALING,
    ours::REGISTRY,
    ours::PLUGINS,
    ours::WEBHOOK,
    "kube-controller-manager",
    "kube-scheduler",
];

/// Who set what.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    fields: Vec<Explained>,
    /// Fields of the objects that somebody else writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Other>,
    /// What whoever asks may not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
}

/// A field of the MCPServer.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    field: String,
    /// As JSON; hidden where it may be a secret, and nothing where it is in the objects only.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    author: Author,
}

/// What another field manager writes into an object.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Other {
    object: String,
    manager: String,
    fields: Vec<String>,
}

/// Reads the MCPServer and its objects.
///
/// # Errors
/// When it is not there, or has no such field.
pub(crate) async fn explain(
    cluster: &Cluster,
    name: &str,
    field: Option<&str>,
) -> Result<Explanation> {
    let server = cluster.server(name).await?;
    let mut unread = Vec::new();
    let objects = match field {
        None => objects(cluster, name, &mut unread).await?,
        Some(_) => Vec::new(),
    };
    view(&server, &objects, field, unread)
}

fn view(
    server: &Value,
    objects: &[Value],
    wanted: Option<&str>,
    unread: Vec<String>,
) -> Result<Explanation> {
    let schema = serde_json::to_value(McpServer::crd()).unwrap_or_default();
    let schema = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let authors = Authors::of(server, schema);
    let mut explained: Vec<Explained> = set_fields(server)
        .into_iter()
        .map(|field| Explained {
            author: authors.author(&field),
            value: Some(shown(&field)),
            field: field.path(),
        })
        .collect();
    // What defaulters set in the objects alone stands in no field of the MCPServer.
    let only_in_objects = authors.plugins().filter(|(path, _)| {
        !explained
            .iter()
            .any(|it| holds(&it.field, path) || holds(path, &it.field))
    });
    let only_in_objects: Vec<Explained> = only_in_objects
        .map(|(path, plugin)| Explained {
            field: path.to_owned(),
            value: None,
            author: Author::Plugin(plugin.to_owned()),
        })
        .collect();
    explained.extend(only_in_objects);
    if let Some(wanted) = wanted {
        explained.retain(|it| holds(wanted, &it.field) || holds(&it.field, wanted));
        if explained.is_empty() {
            bail!("{}", unset(schema, wanted));
        }
    }
    Ok(Explanation {
        fields: explained,
        others: objects.iter().flat_map(others).collect(),
        unread,
    })
}

/// Why there is nothing to explain.
fn unset(schema: &Value, field: &str) -> String {
    let known = field.split('.').try_fold(schema, |schema, name| {
        let name = name.split('[').next().unwrap_or(name);
        let inner = if schema["items"].is_object() {
            &schema["items"]
        } else {
            schema
        };
        inner["properties"].get(name)
    });
    match known {
        Some(_) => format!("nobody sets {field}, and the schema has no default for it"),
        None => {
            format!("an MCPServer has no field {field}: kubectl explain mcpserver.spec names them")
        }
    }
}

/// Values of the environment and the configuration are read by more people here than where they stand.
fn shown(field: &Field<'_>) -> String {
    let path = field.path();
    let is_private = ["spec.env", "spec.config"]
        .iter()
        .any(|private| holds(private, &path));
    if is_private {
        "...".into()
    } else {
        field.value.to_string()
    }
}

fn others(object: &Value) -> Vec<Other> {
    let metadata = &object["metadata"];
    if !ManagedKind::iter().any(|kind| object["kind"] == kind.name()) {
        return Vec::new();
    }
    let entries = metadata["managedFields"].as_array().into_iter().flatten();
    entries
        .filter(|entry| {
            let manager = entry["manager"].as_str().unwrap_or_default();
            let is_status = entry["subresource"] == "status";
            !is_status && !NOT_OTHERS.contains(&manager)
        })
        .map(|entry| Other {
            object: format!("{} {}", text(&object["kind"]), text(&metadata["name"])),
            manager: text(&entry["manager"]),
            fields: owned(&entry["fieldsV1"]),
        })
        .filter(|other| !other.fields.is_empty())
        .collect()
}

impl View for Explanation {
    fn text(&self, style: &Style) -> String {
        let mut table = Table::titled(&["FIELD", "VALUE", "SET BY"]);
        let most = style.width.map_or(usize::MAX, |width| width / 3);
        for explained in &self.fields {
            let value = explained
                .value
                .clone()
                .unwrap_or_else(|| "(in the objects)".into());
            let narrow = Style {
                width: Some(most),
                ..*style
            };
            let tone = match explained.author {
                Author::Plugin(_) => Tone::Waiting,
                Author::Manifest(_) => Tone::Good,
                _ => Tone::Plain,
            };
            table.push([
                (Tone::Plain, explained.field.clone()),
                (Tone::Plain, narrow.fit(&value, 0)),
                (tone, explained.author.to_string()),
            ]);
        }
        let mut text = table.text(style);
        if !self.others.is_empty() {
            text.push_str("\nOthers write into the objects:\n");
        }
        for other in &self.others {
            let line = format!(
                "{}: {} sets {}",
                other.object,
                other.manager,
                other.fields.join(", ")
            );
            _ = writeln!(text, "   {}", style.wrap(&harmless(&line), 3));
        }
        text.push_str(&not_read(&self.unread, style));
        text
    }
}

#[cfg(test)]
mod tests;
