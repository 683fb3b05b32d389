//! `import`: MCPServers of what others have: LiteLLM's `mcp_servers`, ToolHive, mcp-lifecycle-operator, kmcp, home-operations'
//! LiteLLM operator, and manifests that somebody wrote by hand.
//!
//! Each kind has one file. It takes the fields that it understands, and whatever is left over is named ([`field_reader`]): nothing is
//! lost without a word, whatever others add to their kinds.

mod by_hand;
mod container;
mod field_reader;
mod home_operations;
mod kmcp;
mod lifecycle;
mod litellm;
mod toolhive;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use mcp_operator_api::names::{API_VERSION, SERVER_KIND};
use mcp_operator_core::yaml;
use serde_json::{Map, Value, json};

use self::field_reader::Fields;
use crate::documents::{self, Document};
use crate::manifests::Decoder;

/// What came of it: its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// Everything is said by the MCPServers.
    Whole = 0,
    /// Some of it is not: comments and standard error say what.
    Partial = 1,
}

impl From<Import> for ExitCode {
    fn from(import: Import) -> Self {
        Self::from(import as u8)
    }
}

/// An MCPServer that was made of something, and what of that it does not say.
#[derive(Debug, PartialEq)]
struct Imported {
    /// What it was made of.
    origin: String,
    name: String,
    namespace: Option<String>,
    labels: Map<String, Value>,
    /// Nothing: it cannot be an MCPServer, and the notes say why.
    spec: Option<Map<String, Value>>,
    notes: Vec<String>,
    /// What to do next: comments alone.
    advice: Vec<String>,
}

/// Prints MCPServers, with what they do not say as comments, and names that on standard error too.
///
/// # Errors
/// When a file cannot be read, or has nothing that is known.
pub fn import(files: &[PathBuf], namespace: Option<&str>) -> Result<Import> {
    let (text, notes) = imported(documents::read(files)?, namespace)?;
    print!("{text}");
    for note in &notes {
        eprintln!("{note}");
    }
    Ok(if notes.is_empty() {
        Import::Whole
    } else {
        Import::Partial
    })
}

/// The manifests, and what they do not say.
fn imported(
    mut documents: Vec<Document>,
    namespace: Option<&str>,
) -> Result<(String, Vec<String>)> {
    let decoder = Decoder::new()?;
    let sources: Vec<String> = documents.iter().map(|it| it.source.clone()).collect();
    let mut all = by_hand::take_servers(&mut documents);
    let mut unknown = Vec::new();
    for document in &documents {
        match of_document(document) {
            Some(more) => all.extend(more),
            None => unknown.push(format!(
                "{}: {} is not known, and nothing is made of it",
                document.source,
                document.title()
            )),
        }
    }
    if all.is_empty() {
        bail!(
            "{}: there is no server that is known: `import --help` names the kinds",
            sources.join(", ")
        );
    }
    let (mut text, mut notes) = (String::new(), unknown);
    let mut names = BTreeSet::new();
    for mut imported in all {
        if let Some(namespace) = namespace {
            imported.namespace = Some(namespace.to_owned());
        }
        imported.take_free_name(&mut names);
        text.push_str(&manifest(&imported, &decoder)?);
        notes.extend(
            imported
                .notes
                .iter()
                .map(|note| format!("{}: {note}", imported.origin)),
        );
    }
    Ok((text, notes))
}

/// Nothing: nobody knows what it is.
fn of_document(document: &Document) -> Option<Vec<Imported>> {
    let object = &document.object;
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, _) = version.split_once('/').unwrap_or_default();
    let one =
        |make: fn(&mut Fields) -> Option<Map<String, Value>>| Some(vec![of_resource(object, make)]);
    match (group, object["kind"].as_str().unwrap_or_default()) {
        ("toolhive.stacklok.dev", "MCPServer") => one(toolhive::server),
        ("toolhive.stacklok.dev", "MCPRemoteProxy") => one(toolhive::remote),
        ("mcp.x-k8s.io", "MCPServer") => one(lifecycle::server),
        ("kagent.dev", "MCPServer") => one(kmcp::server),
        ("litellm.home-operations.com", "LiteLLMMCPServer") => {
            let alias = object["spec"]["alias"].as_str();
            let mut imported = of_resource(object, home_operations::server);
            if let Some(alias) = alias {
                imported.rename(alias);
            }
            Some(vec![imported])
        }
        ("", "ConfigMap") => litellm::config_map(object),
        ("", "") => object["mcp_servers"].as_object().map(litellm::servers),
        _ => None,
    }
}

fn of_resource(object: &Value, make: fn(&mut Fields) -> Option<Map<String, Value>>) -> Imported {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut fields = Fields::of(&object["spec"], "spec");
    let spec = make(&mut fields);
    let name = text(&metadata["name"]);
    let mut imported = Imported {
        origin: format!("{} {name}", text(&object["kind"])),
        name: String::new(),
        namespace: metadata["namespace"].as_str().map(str::to_owned),
        labels: metadata["labels"].as_object().cloned().unwrap_or_default(),
        spec,
        notes: fields.into_notes(),
        advice: Vec::new(),
    };
    imported.rename(&name);
    imported
}

impl Imported {
    /// Names are DNS labels: what is none becomes one, and is named.
    fn rename(&mut self, name: &str) {
        let letters = name.chars().map(|it| match it.to_ascii_lowercase() {
            it if it.is_ascii_lowercase() || it.is_ascii_digit() => it,
            _ => '-',
        });
        let label: String = letters.collect();
        let label = label.trim_matches(|it: char| !it.is_ascii_alphanumeric());
        let label = label.trim_start_matches(|it: char| !it.is_ascii_lowercase());
        let label: String = label.chars().take(50).collect();
        let label = label.trim_end_matches('-');
        self.name = if label.is_empty() {
            "imported".into()
        } else {
            label.to_owned()
        };
        if self.name != name {
            let note = format!(
                "the name {name} is no DNS label: the MCPServer is {}, and so are its tools in LiteLLM",
                self.name
            );
            self.notes.push(note);
        }
    }
}

impl Imported {
    /// Two names can become one by [`Imported::rename`]: `kubectl apply` would keep the last.
    fn take_free_name(&mut self, taken: &mut BTreeSet<(Option<String>, String)>) {
        if self.spec.is_none() {
            return;
        }
        let (first, mut number) = (self.name.clone(), 1);
        while !taken.insert((self.namespace.clone(), self.name.clone())) {
            number += 1;
            self.name = format!("{first}-{number}");
        }
        if number > 1 {
            let note = format!(
                "the name {first} is taken by another one: the MCPServer is {}, and so are its tools in LiteLLM",
                self.name
            );
            self.notes.push(note);
        }
    }
}

/// The manifest with its notes in front; without a specification, these alone.
fn manifest(imported: &Imported, decoder: &Decoder) -> Result<String> {
    let mut text = String::from("---\n");
    let comments = imported.notes.iter().chain(&imported.advice);
    for line in comments.flat_map(|note| note.lines()) {
        _ = writeln!(text, "# {line}");
    }
    let Some(spec) = &imported.spec else {
        _ = writeln!(text, "# Nothing is made of {}.", imported.origin);
        return Ok(text);
    };
    let mut metadata = json!({ "name": imported.name });
    if let Some(namespace) = &imported.namespace {
        metadata["namespace"] = namespace.as_str().into();
    }
    if !imported.labels.is_empty() {
        metadata["labels"] = imported.labels.clone().into();
    }
    let server = json!({
        "apiVersion": API_VERSION, "kind": SERVER_KIND, "metadata": metadata, "spec": spec,
    });
    let namespace = imported.namespace.as_deref().unwrap_or("default");
    decoder
        .server(server.clone(), namespace)
        .map_err(|error| anyhow!("{error:#}"))
        .with_context(|| format!("{} does not become an MCPServer", imported.origin))?;
    text.push_str(&yaml::to_string(&server)?);
    Ok(text)
}

#[cfg(test)]
mod tests;
