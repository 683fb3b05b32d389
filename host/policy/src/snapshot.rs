//! All plugins in force, as one value.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::activate::ActivePlugin;
use super::context::RENDERED;
use super::unavailable::UnavailablePlugin;

/// The plugins in force, by priority and name, and those that should be. Immutable: who takes it once decides by one set of
/// rules.
pub struct Snapshot {
    plugins: Vec<Arc<ActivePlugin>>,
    unavailable: Vec<UnavailablePlugin>,
    synced: bool,
    fingerprint: String,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Snapshot {
    /// These plugins, and no others that are missing.
    pub fn new(plugins: Vec<Arc<ActivePlugin>>) -> Self {
        Self::with_unavailable(plugins, Vec::new(), true)
    }

    /// These plugins, and those that should be in force besides. Until it is `synced`, not all plugins were tried, and
    /// nothing can be decided by it.
    pub fn with_unavailable(
        mut plugins: Vec<Arc<ActivePlugin>>,
        mut unavailable: Vec<UnavailablePlugin>,
        synced: bool,
    ) -> Self {
        plugins.sort_by(|a, b| (a.priority(), a.name()).cmp(&(b.priority(), b.name())));
        unavailable.sort_by(|a, b| a.name().cmp(b.name()));
        let mut hash = Sha256::new();
        for plugin in &plugins {
            hash.update(plugin.fingerprint());
        }
        for plugin in &unavailable {
            hash.update(plugin.fingerprint());
        }
        hash.update([u8::from(synced)]);
        Self {
            plugins,
            unavailable,
            synced,
            fingerprint: hex::encode(hash.finalize()),
        }
    }

    /// Whether all plugins that were there at the start were tried, or waited for long enough.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// The plugins that should be in force, and are not loaded; by name.
    pub fn unavailable(&self) -> &[UnavailablePlugin] {
        &self.unavailable
    }

    /// The plugins, in the order in which they are asked.
    pub fn plugins(&self) -> &[Arc<ActivePlugin>] {
        &self.plugins
    }

    /// Whether a plugin wants to know the objects that a server becomes.
    pub fn wants_rendered(&self) -> bool {
        self.plugins.iter().any(|plugin| plugin.wants(RENDERED))
    }

    /// The registrar in force: the first by priority.
    pub fn registrar(&self) -> Option<&Arc<ActivePlugin>> {
        self.registrars().next()
    }

    /// All registrars, by priority.
    pub fn registrars(&self) -> impl Iterator<Item = &Arc<ActivePlugin>> {
        self.plugins
            .iter()
            .filter(|plugin| plugin.interfaces().registrar)
    }

    /// Changes whenever the plugins could behave otherwise.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// The snapshot in force. Cheap to clone.
#[derive(Clone)]
pub struct Snapshots(watch::Receiver<Arc<Snapshot>>);

impl Snapshots {
    /// A sender of snapshots, and the receiving side. By the first one, nothing can be decided.
    pub fn channel() -> (watch::Sender<Arc<Snapshot>>, Self) {
        let nothing_tried = Snapshot::with_unavailable(Vec::new(), Vec::new(), false);
        let (sender, receiver) = watch::channel(Arc::new(nothing_tried));
        (sender, Self(receiver))
    }

    /// Plugins that never change.
    pub fn fixed(snapshot: Snapshot) -> Self {
        Self(watch::channel(Arc::new(snapshot)).1)
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Snapshot> {
        self.0.borrow().clone()
    }

    /// Waits for another snapshot than the last one that was taken through this value.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The catalogue is gone, so nothing will ever change again.
            std::future::pending::<()>().await;
        }
    }
}
