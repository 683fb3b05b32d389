//! Plugins that were given, instead of watched.

use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_plugin_host::Host;

use super::activate::{ActivePlugin, Attempt, attempt};
use super::snapshot::{Snapshot, Snapshots};
use super::source::ConfigMaps;

/// Tries each plugin once, as the catalogue does. Where the operator would go on without a plugin, this is an error:
/// nobody watches its status.
pub(crate) async fn activate_all(
    host: &Host,
    builtin: &Path,
    maps: Vec<ConfigMap>,
    plugins: &[McpPlugin],
) -> Result<Snapshots, String> {
    let maps = ConfigMaps::Given(maps);
    let activated = join_all(
        plugins
            .iter()
            .map(|plugin| activate_one(host, builtin, &maps, plugin)),
    );
    // Of several that fail, the first by order is told: every time the same.
    let active: Vec<Option<_>> = activated.await.into_iter().collect::<Result<_, String>>()?;
    let active = active.into_iter().flatten().collect();
    Ok(Snapshots::fixed(Snapshot::new(active)))
}

async fn activate_one(
    host: &Host,
    builtin: &Path,
    maps: &ConfigMaps,
    plugin: &McpPlugin,
) -> Result<Option<Arc<ActivePlugin>>, String> {
    match attempt(maps, host, builtin, plugin, None).await {
        Attempt::Tried(_, Ok(active)) => Ok(Some(Arc::from(active))),
        Attempt::Tried(_, Err(why)) => {
            Err(format!("plugin {}: {}", plugin.name_any(), why.message))
        }
        Attempt::Unchanged => Ok(None),
    }
}
