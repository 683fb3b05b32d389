//! Plugins that are loaded once, from manifests or from a record, instead of being watched.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::join_all;
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::{McpPlugin, McpPluginSpec};
use mcp_plugin_host::Host;

use super::activate::{ActivePlugin, Rejection};
use super::loader::{LoadOutcome, PluginLoader};
use super::lookup::{ConfigMapLookup, NoConfigMaps, NoSecrets};
use super::snapshot::Snapshot;
use super::snapshots::Snapshots;

/// Loads each plugin once. Where the running operator would go on without a plugin, this is an error: there is no status
/// that would say so.
///
/// # Errors
/// The first plugin, in the order given, that cannot be put into force, and why.
pub async fn activate_all(
    host: &Host,
    builtin: &Path,
    maps: Arc<dyn ConfigMapLookup>,
    plugins: &[McpPlugin],
) -> Result<Snapshots, String> {
    let loader = PluginLoader {
        maps,
        secrets: Arc::new(NoSecrets),
        signature_keys: None,
        host: host.clone(),
        builtin: builtin.to_owned(),
        operator_namespace: None,
    };
    let activated = join_all(plugins.iter().map(|plugin| activate_one(&loader, plugin)));
    // Of several that fail, the first by order is reported: every time the same.
    let active: Vec<Option<_>> = activated.await.into_iter().collect::<Result<_, String>>()?;
    let active = active.into_iter().flatten().collect();
    Ok(Snapshots::fixed(Snapshot::new(active)))
}

/// Loads a plugin whose component is in a file. No cluster is asked.
///
/// # Errors
/// Why it cannot be put into force.
pub async fn activate_file(
    host: &Host,
    plugin: &McpPlugin,
) -> Result<Arc<ActivePlugin>, Rejection> {
    let loader = PluginLoader {
        maps: Arc::new(NoConfigMaps),
        secrets: Arc::new(NoSecrets),
        signature_keys: None,
        host: host.clone(),
        builtin: PathBuf::new(),
        operator_namespace: None,
    };
    match loader.load(plugin, None).await {
        LoadOutcome::InForce { active, .. } => Ok(Arc::from(active)),
        LoadOutcome::Rejected { why, .. } => Err(why),
        LoadOutcome::Unchanged => Err(Rejection::unreadable("it was not loaded")),
    }
}

async fn activate_one(
    loader: &PluginLoader,
    plugin: &McpPlugin,
) -> Result<Option<Arc<ActivePlugin>>, String> {
    match loader.load(plugin, None).await {
        LoadOutcome::InForce { active, .. } => Ok(Some(Arc::from(active))),
        LoadOutcome::Rejected { why, .. } => {
            Err(format!("plugin {}: {}", plugin.name_any(), why.message))
        }
        LoadOutcome::Unchanged => Ok(None),
    }
}

/// Loads a plugin by a specification that was recorded, although its MCPPlugin may be gone or say something else.
///
/// # Errors
/// Why it cannot be put into force, as one sentence.
pub async fn activate_recorded(
    loader: &PluginLoader,
    name: &str,
    spec: &str,
) -> Result<Arc<ActivePlugin>, String> {
    let spec: McpPluginSpec = serde_json::from_str(spec).map_err(|error| error.to_string())?;
    let plugin = McpPlugin::new(name, spec);
    let activated = activate_one(loader, &plugin).await?;
    activated.ok_or_else(|| format!("plugin {name} cannot be put into force"))
}
