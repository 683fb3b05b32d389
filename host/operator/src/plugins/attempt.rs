//! Tries to put a plugin into force: from its source, or, if that is no good, as an earlier run had it.

use std::path::PathBuf;

use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_plugin_host::{Digest, Host};

use super::activate::{ActivePlugin, Rejection, Version, activate};
use super::source::{self, ConfigMaps};

/// What comes of trying.
pub(super) enum Attempt {
    /// It is what was tried before.
    Unchanged,
    /// It can be put into force.
    InForce(Version, Box<ActivePlugin>),
    /// It cannot.
    Rejected {
        /// What was tried, if it could be read.
        version: Option<Version>,
        /// Why not.
        why: Rejection,
        /// The component that an earlier run of the operator had in force.
        last_good: Option<Box<ActivePlugin>>,
    },
}

/// Where components come from and what runs them.
#[derive(Clone)]
pub(super) struct Workshop {
    pub(super) maps: ConfigMaps,
    pub(super) host: Host,
    pub(super) builtin: PathBuf,
}

impl Workshop {
    /// Reads the component, and does everything else unless it is what was tried before.
    pub(super) async fn attempt(&self, plugin: &McpPlugin, tried: Option<&Version>) -> Attempt {
        let limit = self.host.max_component_bytes();
        let bytes = match source::read(&self.maps, &self.builtin, &plugin.spec.source, limit).await
        {
            Ok(bytes) => bytes,
            Err(error) => {
                return Attempt::Rejected {
                    version: None,
                    why: Rejection::unread(&error),
                    last_good: None,
                };
            }
        };
        let version = Version::new(Digest::of(&bytes), plugin);
        if tried == Some(&version) {
            return Attempt::Unchanged;
        }
        let loaded = async || self.host.load(&plugin.name_any(), &bytes).await;
        match activate(&self.host, plugin, &version, loaded).await {
            Ok(active) => Attempt::InForce(version, Box::new(active)),
            Err(why) => Attempt::Rejected {
                version: Some(version),
                why,
                last_good: None,
            },
        }
    }

    /// The component that an earlier run had in force, as the status says, by the present specification: if what is
    /// there now is no good, it is better than none. The cache may have forgotten it.
    pub(super) async fn last_good(&self, plugin: &McpPlugin) -> Option<Box<ActivePlugin>> {
        let digest = plugin.status.as_ref()?.digest.as_deref()?;
        let digest: Digest = digest.strip_prefix("sha256:")?.parse().ok()?;
        let version = Version::new(digest, plugin);
        let name = plugin.name_any();
        let loaded = self.host.load_cached(&name, digest).await.ok()??;
        let active = activate(&self.host, plugin, &version, async || Ok(loaded)).await;
        active.ok().map(Box::new)
    }
}
