//! What manifests are judged by: plugins, namespaces and settings from files and options.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow, bail, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use mcp_operator_api::names::{API_VERSION, GROUP, PLUGIN_KIND, SERVER_KIND};
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::admission::{Admission, Answer, judge_by_schema};
use super::arguments::ManifestArguments;
use super::definition::Definition;
use super::documents::{self, Document};
use super::kubectl;
use crate::namespaces::Namespaces;
use crate::plugins::activate_all;
use crate::run::plugin_host;
use crate::webhook;

/// The MCPPlugins that are installed with the operator.
const DEFAULT_PLUGINS: &str = include_str!("../../../../deploy/base/plugins.yaml");
/// What the API server writes on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The MCPServers that were given, and what admits them.
pub(super) struct World {
    pub(super) servers: Vec<Document>,
    pub(super) admission: Admission,
}

impl World {
    /// Reads all of it.
    pub(super) async fn open(arguments: &ManifestArguments) -> Result<Self> {
        let documents = documents::read(&arguments.files)?;
        let given: Vec<Namespace> = typed(&documents, "v1", "Namespace")?;
        let servers = servers(documents, &arguments.namespace)?;
        let build = arguments.build.settings();
        let state = webhook::State {
            snapshots: plugins(arguments).await?,
            namespaces: Namespaces::fixed(namespaces(&servers, given)),
            build,
        };
        let definition = Definition::of::<McpServer>();
        Ok(Self {
            servers,
            admission: Admission { definition, state },
        })
    }
}

/// The MCPServers, with a namespace. What is of another group is passed over.
fn servers(documents: Vec<Document>, namespace: &str) -> Result<Vec<Document>> {
    let mut servers = Vec::new();
    for mut document in documents {
        let source = document.source.clone();
        if !document.is(API_VERSION, SERVER_KIND) {
            refuse_unknown_kind(&document)?;
            if !document.is("v1", "Namespace") {
                eprintln!("{source}: {} skipped: not an MCPServer", document.title());
            }
            continue;
        }
        let metadata = document.object["metadata"]
            .as_object_mut()
            .with_context(|| format!("{source}: an MCPServer has no metadata"))?;
        ensure!(
            metadata.get("name").is_some_and(Value::is_string),
            "{source}: an MCPServer has no metadata.name"
        );
        metadata
            .entry("namespace")
            .or_insert_with(|| namespace.into());
        servers.push(document);
    }
    ensure!(
        !servers.is_empty(),
        "there is no MCPServer in what was given"
    );
    Ok(servers)
}

/// A kind that the group does not have is a mistake and nothing to pass over.
fn refuse_unknown_kind(document: &Document) -> Result<()> {
    let version = document.object["apiVersion"].as_str().unwrap_or_default();
    let kind = document.object["kind"].as_str().unwrap_or_default();
    let source = &document.source;
    ensure!(!kind.is_empty(), "{source}: Object 'Kind' is missing");
    ensure!(
        !version.is_empty(),
        "{source}: Object 'apiVersion' is missing"
    );
    let is_ours = version.split('/').next() == Some(GROUP);
    if is_ours && !document.is(API_VERSION, PLUGIN_KIND) {
        bail!("{source}: no matches for kind {kind:?} in version {version:?}");
    }
    Ok(())
}

/// The namespaces that servers are in, with what is known of them.
fn namespaces(servers: &[Document], mut known: Vec<Namespace>) -> Vec<Namespace> {
    let names: BTreeSet<&str> = servers
        .iter()
        .filter_map(|server| server.object["metadata"]["namespace"].as_str())
        .collect();
    for name in names {
        if !known
            .iter()
            .any(|one| one.metadata.name.as_deref() == Some(name))
        {
            let mut namespace = Namespace::default();
            namespace.metadata.name = Some(name.to_owned());
            known.push(namespace);
        }
    }
    for namespace in &mut known {
        let name = namespace.metadata.name.clone().unwrap_or_default();
        let labels = namespace.metadata.labels.get_or_insert_default();
        labels.insert(NAMESPACE_NAME.to_owned(), name);
    }
    known
}

async fn plugins(arguments: &ManifestArguments) -> Result<crate::plugins::Snapshots> {
    let documents = if arguments.plugin_files.is_empty() {
        documents::parse("the default plugins", DEFAULT_PLUGINS)?
    } else {
        documents::read(&arguments.plugin_files)?
    };
    let definition = Definition::of::<McpPlugin>();
    let mut plugins = Vec::new();
    for document in &documents {
        if document.is(API_VERSION, PLUGIN_KIND) {
            plugins.push(plugin(&definition, document)?);
        } else if !document.is("v1", "ConfigMap") {
            refuse_unknown_kind(document)?;
            eprintln!(
                "{}: {} skipped: not an MCPPlugin",
                document.source,
                document.title()
            );
        }
    }
    let maps: Vec<ConfigMap> = typed(&documents, "v1", "ConfigMap")?;
    let host = plugin_host(&arguments.plugins)?;
    let snapshots = activate_all(&host, &arguments.plugins.builtin_plugins, maps, &plugins).await;
    snapshots.map_err(|error| anyhow!(error))
}

/// One MCPPlugin, as it would be stored.
fn plugin(definition: &Definition, document: &Document) -> Result<McpPlugin> {
    let source = &document.source;
    let decoded = definition.decode(&document.object);
    let decoded = decoded.map_err(|error| anyhow!("{source}: {error}"))?;
    match judge_by_schema(definition, &decoded) {
        Ok(()) => serde_json::from_value(decoded)
            .with_context(|| format!("{source}: {} cannot be read", document.title())),
        Err(Answer::Denied(status)) => bail!("{source}: {}", kubectl::denial(&status)),
        Err(Answer::BadRequest(error) | Answer::Unanswered(error)) => bail!("{source}: {error}"),
        Err(Answer::Admitted(_)) => bail!("{source}: {} was not judged", document.title()),
    }
}

fn typed<T: DeserializeOwned>(documents: &[Document], version: &str, kind: &str) -> Result<Vec<T>> {
    let wanted = documents
        .iter()
        .filter(|document| document.is(version, kind));
    wanted
        .map(|document| {
            serde_json::from_value(document.object.clone()).with_context(|| {
                format!("{}: {} cannot be read", document.source, document.title())
            })
        })
        .collect()
}
