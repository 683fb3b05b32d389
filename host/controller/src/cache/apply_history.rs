//! What came of our own applies.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use mcp_operator_core::manifest::Manifest;
use mcp_operator_core::ssa_diff::Difference;

use super::objects::{ObjectName, lock};

/// What is remembered of applies of the objects of one kind, besides the objects that they left.
#[derive(Default)]
pub(crate) struct ApplyHistory {
    /// Hash of the manifest that an object last agreed with.
    clean: Mutex<HashMap<ObjectName, u64>>,
    /// Hash of a manifest, and what it could not change because admission changes it back. Without this, each reconcile
    /// would write it once more.
    mutated_by_admission: Mutex<HashMap<ObjectName, (u64, Vec<Difference>)>>,
}

impl ApplyHistory {
    /// Records that an object is as its manifest says.
    pub(crate) fn record_clean(&self, manifest: &Manifest) {
        lock(&self.clean).insert(name(manifest), hash(manifest));
    }

    /// Whether an object was as this very manifest says: if it differs now, somebody else has changed it.
    pub(crate) fn was_clean(&self, manifest: &Manifest) -> bool {
        lock(&self.clean).get(&name(manifest)) == Some(&hash(manifest))
    }

    /// Records which differences a write has left. Says whether some are left that were not left before.
    pub(crate) fn record_write(&self, manifest: &Manifest, left: Vec<Difference>) -> bool {
        let mut mutated = lock(&self.mutated_by_admission);
        if left.is_empty() {
            mutated.remove(&name(manifest));
            drop(mutated);
            self.record_clean(manifest);
            return false;
        }
        let now = (hash(manifest), left);
        mutated.insert(name(manifest), now.clone()) != Some(now)
    }

    /// Whether applying this manifest again would leave the same differences.
    pub(crate) fn is_mutated_by_admission(
        &self,
        manifest: &Manifest,
        differences: &[Difference],
    ) -> bool {
        lock(&self.mutated_by_admission)
            .get(&name(manifest))
            .is_some_and(|(of, left)| *of == hash(manifest) && left == differences)
    }

    /// Forgets a deleted object.
    pub(super) fn forget(&self, object: &ObjectName) {
        lock(&self.clean).remove(object);
        lock(&self.mutated_by_admission).remove(object);
    }

    /// Forgets all objects but those that exist.
    pub(super) fn retain(&self, exists: impl Fn(&ObjectName) -> bool) {
        lock(&self.clean).retain(|object, _| exists(object));
        lock(&self.mutated_by_admission).retain(|object, _| exists(object));
    }
}

fn name(manifest: &Manifest) -> ObjectName {
    (manifest.namespace().to_owned(), manifest.name().to_owned())
}

fn hash(manifest: &Manifest) -> u64 {
    let mut hasher = DefaultHasher::new();
    manifest.object.hash(&mut hasher);
    hasher.finish()
}
