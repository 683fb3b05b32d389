//! Loads plugins: from their source, or, where that is no good, the component that an earlier run of the operator had in
//! force.

use std::path::PathBuf;
use std::sync::Arc;

use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_connections::SecretLookup;
use mcp_plugin_host::{Digest, Host};

use super::activate::{
    ActivePlugin, PluginVersion, Rejection, activate, combine, refuse_invalid, refuse_other_digest,
};
use super::lookup::ConfigMapLookup;
use super::provenance::Provenance;
use super::required_keys::kept_is_signed;
use super::source::SourceError;

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

/// Loads components from wherever MCPPlugins say into a plugin host. Cheap to clone.
#[derive(Clone)]
pub struct PluginLoader {
    pub maps: Arc<dyn ConfigMapLookup>,
    /// Those of the operator's namespace: credentials for registries, and public keys.
    pub secrets: Arc<dyn SecretLookup>,
    /// Public keys, a file or a folder of them, by one of which every component from outside of the operator's image must be
    /// signed. Nothing: only MCPPlugins say what must be signed.
    pub signature_keys: Option<PathBuf>,
    pub host: Host,
    pub builtin: PathBuf,
    /// The namespace that the operator runs in. Outside of a cluster there is none.
    pub operator_namespace: Option<String>,
}

impl PluginLoader {
    /// Reads the component, and compiles and checks it unless it is what the last attempt (`tried`) had.
    pub async fn load(&self, plugin: &McpPlugin, tried: Option<&PluginVersion>) -> LoadOutcome {
        let rejected = |why| LoadOutcome::Rejected {
            version: None,
            why,
            last_good: None,
        };
        let spec = &plugin.spec;
        // Nobody outside is asked for what must not be.
        if (spec.source.oci.is_some() || spec.source.url.is_some())
            && let Err(why) = refuse_invalid(spec, self.operator_namespace.as_deref())
        {
            return rejected(why);
        }
        let found = match self.find(spec).await {
            Ok(found) => found,
            Err(error) => return rejected(Rejection::unread(&error)),
        };
        let version = match PluginVersion::new(found.digest, plugin) {
            Ok(version) => version.with_provenance(found.provenance.clone()),
            Err(why) => return rejected(why),
        };
        if tried == Some(&version) {
            return LoadOutcome::Unchanged;
        }
        if let Err(why) = refuse_other_digest(spec, version.digest()) {
            return LoadOutcome::Rejected {
                version: Some(version),
                why,
                last_good: None,
            };
        }
        let bytes = match found.bytes(self.host.max_component_bytes()).await {
            Ok(bytes) => bytes,
            Err(error) => return rejected(Rejection::unread(&error)),
        };
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

    /// Whether a copy of its component may be in force. Where signatures are demanded, what is in the operator's image is only
    /// taken from there: nobody has signed a copy of it.
    pub fn trusts_copies(&self, plugin: &McpPlugin) -> bool {
        plugin.spec.source.builtin.is_none() || self.signature_keys.is_none()
    }

    /// A component that was kept when it was in force, with the present specification.
    ///
    /// # Errors
    /// Why it cannot be in force now.
    pub async fn load_kept(
        &self,
        plugin: &McpPlugin,
        component: &[u8],
        provenance: Provenance,
    ) -> Result<Box<ActivePlugin>, Rejection> {
        let unread = |error: SourceError| Rejection::unread(&error);
        let required = self.required_keys(&plugin.spec).await.map_err(unread)?;
        kept_is_signed(&provenance, &required).map_err(unread)?;
        let version =
            PluginVersion::new(Digest::of(component), plugin)?.with_provenance(provenance);
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
        // Who has signed what the cache has is not known.
        if !self.required_keys(&plugin.spec).await.ok()?.is_empty() {
            return None;
        }
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
