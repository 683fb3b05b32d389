//! All plugins in force, as one value.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::activate::ActivePlugin;
use super::context::RENDERED;

/// The plugins in force, by priority and name. Immutable: who takes it once decides by one set of rules.
#[derive(Default)]
pub struct Snapshot {
    plugins: Vec<Arc<ActivePlugin>>,
    fingerprint: String,
}

impl Snapshot {
    /// The plugins, in the order in which they are asked.
    pub fn new(mut plugins: Vec<Arc<ActivePlugin>>) -> Self {
        plugins.sort_by(|a, b| (a.priority(), a.name()).cmp(&(b.priority(), b.name())));
        let mut hash = Sha256::new();
        for plugin in &plugins {
            hash.update(plugin.fingerprint());
        }
        Self {
            plugins,
            fingerprint: hex::encode(hash.finalize()),
        }
    }

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
    /// A sender of snapshots, and the receiving side.
    pub fn channel() -> (watch::Sender<Arc<Snapshot>>, Self) {
        let (sender, receiver) = watch::channel(Arc::default());
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
