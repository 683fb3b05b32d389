//! What is decided about, and by what: manifests, plugins and namespaces from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use mcp_operator_admission::AdmissionState;
use mcp_operator_api::names::{API_VERSION, GROUP, PLUGIN_KIND, SERVER_KIND};
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use mcp_operator_core::build;
use mcp_operator_policy::{NoStoredServers, Snapshots, activate_all};
use mcp_plugin_host::Host;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::admission::{Admission, Refusal, validate_by_schema};
use crate::definition::Definition;
use crate::documents::{self, Document};
use crate::kubectl;
use crate::lookup::{GivenConfigMaps, GivenNamespaces};
use crate::versions;

/// The MCPPlugins that are installed with the operator.
const DEFAULT_PLUGINS: &str = include_str!("../../../deploy/base/plugins.yaml");

/// Where manifests and plugins come from, and what an administrator decides.
pub struct Sources {
    /// Files and folders with manifests; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Namespace of MCPServers that name none.
    pub namespace: String,
    /// Files and folders with MCPPlugins and the ConfigMaps of their components. None, and no folder either: those that are
    /// installed with the operator.
    pub plugin_files: Vec<PathBuf>,
    /// Folders of plugins, as their authors have them: `plugin.yaml`, and the component beside it. They are asked besides those
    /// of `plugin_files`, or alone.
    pub plugin_folders: Vec<PathBuf>,
    /// What runs plugins.
    pub host: Host,
    /// Folder with the components that `spec.source.builtin` names.
    pub builtin: PathBuf,
    /// What goes into objects.
    pub build: build::Settings,
}

/// The MCPServers that were given, and what admits them.
pub(crate) struct Inputs {
    pub(crate) servers: Vec<Document>,
    pub(crate) admission: Admission,
    pub(crate) namespaces: Arc<GivenNamespaces>,
}

impl Inputs {
    /// Reads all of it, and loads the plugins.
    pub(crate) async fn read(sources: Sources) -> Result<Self> {
        let documents = documents::read(&sources.files)?;
        let namespaces: Vec<Namespace> = typed(&documents, "v1", "Namespace")?;
        let namespaces = Arc::new(GivenNamespaces::new(namespaces));
        let servers = servers(documents, &sources.namespace)?;
        let state = AdmissionState {
            snapshots: plugins(&sources).await?,
            namespaces: namespaces.clone(),
            servers: Arc::new(NoStoredServers),
            build: sources.build,
            operator_namespace: None,
            trace_id: || None,
        };
        let definition = Definition::of::<McpServer>()?;
        Ok(Self {
            servers,
            admission: Admission { definition, state },
            namespaces,
        })
    }
}

/// The MCPServers, with a namespace. What is of another group is passed over.
pub(crate) fn servers(documents: Vec<Document>, namespace: &str) -> Result<Vec<Document>> {
    let mut servers = Vec::new();
    for document in documents {
        let source = document.source.clone();
        let mut document = versions::stored(document)?;
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
        // A template without a value leaves nothing, or an empty text: kubectl takes its own for both.
        let has_namespace = metadata.get("namespace").and_then(Value::as_str);
        if has_namespace.is_none_or(str::is_empty) {
            metadata.insert("namespace".into(), namespace.into());
        }
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

async fn plugins(sources: &Sources) -> Result<Snapshots> {
    let documents = if sources.plugin_files.is_empty() && sources.plugin_folders.is_empty() {
        documents::parse("the default plugins", DEFAULT_PLUGINS)?
    } else {
        documents::read(&sources.plugin_files)?
    };
    let definition = Definition::of::<McpPlugin>()?;
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
    for folder in &sources.plugin_folders {
        plugins.push(folder_plugin(&definition, folder)?);
    }
    let maps: Vec<ConfigMap> = typed(&documents, "v1", "ConfigMap")?;
    let maps = Arc::new(GivenConfigMaps(maps));
    let snapshots = activate_all(&sources.host, &sources.builtin, maps, &plugins).await;
    snapshots.map_err(|error| anyhow!(error))
}

/// One MCPPlugin, as it would be stored.
pub(crate) fn plugin(definition: &Definition, document: &Document) -> Result<McpPlugin> {
    let source = &document.source;
    let decoded = definition.decode(&document.object);
    let decoded = decoded.map_err(|error| anyhow!("{source}: {error}"))?;
    match validate_by_schema(definition, &decoded) {
        Ok(()) => serde_json::from_value(decoded)
            .with_context(|| format!("{source}: {} cannot be read", document.title())),
        Err(Refusal::Denied(status)) => bail!("{source}: {}", kubectl::denial(&status)),
        Err(Refusal::BadRequest(error) | Refusal::Unanswered(error)) => bail!("{source}: {error}"),
    }
}

/// The MCPPlugin of an author's folder, with the component that lies there in the place of its source.
fn folder_plugin(definition: &Definition, folder: &Path) -> Result<McpPlugin> {
    let manifest = folder.join("plugin.yaml");
    let documents = documents::read(std::slice::from_ref(&manifest))?;
    let mut plugins = documents
        .into_iter()
        .filter(|document| document.is(API_VERSION, PLUGIN_KIND));
    let (Some(mut document), None) = (plugins.next(), plugins.next()) else {
        bail!("{}: one {PLUGIN_KIND} is wanted", manifest.display());
    };
    let name = document.object["metadata"]["name"].as_str();
    let name = name.with_context(|| format!("{}: metadata.name is missing", manifest.display()))?;
    let component = folder.join(format!("{name}.wasm"));
    ensure!(
        component.is_file(),
        "{} is missing: `mcp-operator plugin build {}` makes it",
        component.display(),
        folder.display()
    );
    document.object["spec"]["source"] = serde_json::json!({ "file": component });
    plugin(definition, &document)
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
