//! Plugins that were given, instead of watched.

use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, ResourceExt};
use mcp_operator_api::v1alpha1::{McpPlugin, McpPluginSpec};
use mcp_plugin_host::Host;

use super::activate::ActivePlugin;
use super::attempt::{Attempt, Workshop};
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
    let workshop = Workshop {
        maps: ConfigMaps::Given(maps),
        host: host.clone(),
        builtin: builtin.to_owned(),
    };
    let activated = join_all(plugins.iter().map(|plugin| activate_one(&workshop, plugin)));
    // Of several that fail, the first by order is told: every time the same.
    let active: Vec<Option<_>> = activated.await.into_iter().collect::<Result<_, String>>()?;
    let active = active.into_iter().flatten().collect();
    Ok(Snapshots::fixed(Snapshot::new(active)))
}

async fn activate_one(
    workshop: &Workshop,
    plugin: &McpPlugin,
) -> Result<Option<Arc<ActivePlugin>>, String> {
    match workshop.attempt(plugin, None).await {
        Attempt::InForce(_, active) => Ok(Some(Arc::from(active))),
        Attempt::Rejected { why, .. } => {
            Err(format!("plugin {}: {}", plugin.name_any(), why.message))
        }
        Attempt::Unchanged => Ok(None),
    }
}

/// Tries a plugin by a specification that was kept, although its MCPPlugin may be gone.
pub(crate) async fn activate_again(
    client: &Client,
    host: &Host,
    builtin: &Path,
    name: &str,
    spec: &str,
) -> Result<Arc<ActivePlugin>, String> {
    let spec: McpPluginSpec = serde_json::from_str(spec).map_err(|error| error.to_string())?;
    let plugin = McpPlugin::new(name, spec);
    let workshop = Workshop {
        maps: ConfigMaps::Cluster(client.clone()),
        host: host.clone(),
        builtin: builtin.to_owned(),
    };
    let activated = activate_one(&workshop, &plugin).await?;
    activated.ok_or_else(|| format!("plugin {name} cannot be put into force"))
}
