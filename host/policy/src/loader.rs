//! Loads plugins: from their source, or, where that is no good, the component that an earlier run of the operator had in
//! force.

use std::path::PathBuf;
use std::sync::Arc;

use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_plugin_host::{Digest, Host};

use super::activate::{ActivePlugin, PluginVersion, Rejection, activate, combine};
use super::lookup::ConfigMapLookup;
use super::source;

/// What loading a plugin led to.
pub enum LoadOutcome {
    /// The component and the specification are those of the last attempt.
    Unchanged,
    /// It passed all checks.
    InForce {
        version: PluginVersion,
        active: Box<ActivePlugin>,
        /// The component itself: its source may be gone at the next start.
        component: Vec<u8>,
    },
    /// It cannot be put into force.
    Rejected {
        /// Absent if the component could not be read.
        version: Option<PluginVersion>,
        why: Rejection,
        /// The component that an earlier run of the operator had in force.
        last_good: Option<Box<ActivePlugin>>,
    },
}

impl LoadOutcome {
    /// What passed all checks.
    pub fn loaded(&self) -> Option<&ActivePlugin> {
        match self {
            Self::InForce { active, .. } => Some(active),
            Self::Unchanged | Self::Rejected { .. } => None,
        }
    }
}

/// Loads components from ConfigMaps and the folder of built-in plugins into a plugin host. Cheap to clone.
#[derive(Clone)]
pub struct PluginLoader {
    pub maps: Arc<dyn ConfigMapLookup>,
    pub host: Host,
    pub builtin: PathBuf,
    /// The namespace that the operator runs in. Outside of a cluster there is none.
    pub operator_namespace: Option<String>,
}

impl PluginLoader {
    /// Reads the component, and compiles and checks it unless it is what the last attempt (`tried`) had.
    pub async fn load(&self, plugin: &McpPlugin, tried: Option<&PluginVersion>) -> LoadOutcome {
        let limit = self.host.max_component_bytes();
        let bytes = match source::read(&*self.maps, &self.builtin, &plugin.spec.source, limit).await
        {
            Ok(bytes) => bytes,
            Err(error) => {
                return LoadOutcome::Rejected {
                    version: None,
                    why: Rejection::unread(&error),
                    last_good: None,
                };
            }
        };
        let version = match PluginVersion::new(Digest::of(&bytes), plugin) {
            Ok(version) => version,
            Err(why) => {
                return LoadOutcome::Rejected {
                    version: None,
                    why,
                    last_good: None,
                };
            }
        };
        if tried == Some(&version) {
            return LoadOutcome::Unchanged;
        }
        let loaded = async || self.host.load(&plugin.name_any(), &bytes).await;
        match activate(
            &self.host,
            self.operator_namespace.as_deref(),
            plugin,
            &version,
            loaded,
        )
        .await
        {
            Ok(active) => LoadOutcome::InForce {
                version,
                active: Box::new(active),
                component: bytes,
            },
            Err(why) => LoadOutcome::Rejected {
                version: Some(version),
                why,
                last_good: None,
            },
        }
    }

    /// What an MCPPlugin was, or will be, while its component and its specification changed one after the other: another replica
    /// may have seen it so.
    pub async fn between(&self, one: &ActivePlugin, other: &ActivePlugin) -> Vec<ActivePlugin> {
        if one.digest() == other.digest() || one.generation() == other.generation() {
            return Vec::new();
        }
        let namespace = self.operator_namespace.as_deref();
        let combinations = [
            combine(&self.host, namespace, one, other).await,
            combine(&self.host, namespace, other, one).await,
        ];
        combinations.into_iter().flatten().collect()
    }

    /// A component that was kept when it was in force, with the present specification.
    ///
    /// # Errors
    /// Why it cannot be in force now.
    pub async fn load_kept(
        &self,
        plugin: &McpPlugin,
        component: &[u8],
    ) -> Result<Box<ActivePlugin>, Rejection> {
        let version = PluginVersion::new(Digest::of(component), plugin)?;
        let loaded = async || self.host.load(&plugin.name_any(), component).await;
        let active = activate(
            &self.host,
            self.operator_namespace.as_deref(),
            plugin,
            &version,
            loaded,
        )
        .await?;
        Ok(Box::new(active))
    }

    /// The component that an earlier run had in force, by its digest in the status, with the present specification. If what
    /// the source has now cannot be used, an older rule is better than none. Nothing if the cache has dropped it.
    pub async fn last_good(&self, plugin: &McpPlugin) -> Option<Box<ActivePlugin>> {
        let digest = plugin.status.as_ref()?.digest.as_deref()?;
        let digest: Digest = digest.strip_prefix("sha256:")?.parse().ok()?;
        let version = PluginVersion::new(digest, plugin).ok()?;
        let name = plugin.name_any();
        let loaded = self.host.load_cached(&name, digest).await.ok()??;
        let active = activate(
            &self.host,
            self.operator_namespace.as_deref(),
            plugin,
            &version,
            async || Ok(loaded),
        )
        .await;
        active.ok().map(Box::new)
    }
}
