//! All plugins in force, as one value.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::activate::ActivePlugin;
use super::around::{revision, sorted};
use super::context::RENDERED;
use super::unavailable::UnavailablePlugin;

/// The plugins in force, by priority and name, and those that should be. Immutable: who takes it once decides by one set of
/// rules.
pub struct Snapshot {
    plugins: Vec<Arc<ActivePlugin>>,
    unavailable: Vec<UnavailablePlugin>,
    synced: bool,
    fingerprint: String,
    revision: String,
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
        plugins: Vec<Arc<ActivePlugin>>,
        mut unavailable: Vec<UnavailablePlugin>,
        synced: bool,
    ) -> Self {
        let plugins = sorted(plugins);
        unavailable.sort_by(|a, b| a.name().cmp(b.name()));
        let mut hash = Sha256::new();
        let now = Timestamp::now();
        for plugin in &plugins {
            hash.update(plugin.fingerprint());
            // Servers are judged again when an exception ends.
            hash.update(plugin.exceptions().in_force(now).count().to_be_bytes());
        }
        for plugin in &unavailable {
            hash.update(plugin.fingerprint());
        }
        hash.update([u8::from(synced)]);
        Self {
            revision: revision(&plugins),
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

    /// Which plugins these are that have a say in requests: the same on every replica that has the same ones loaded, whatever
    /// it lacks besides.
    pub fn revision(&self) -> &str {
        &self.revision
    }
}
