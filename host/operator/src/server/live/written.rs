//! What came of our own writes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use mcp_operator_core::manifest::Manifest;
use mcp_operator_core::ownership::Difference;

use super::objects::{Key, lock};

/// What is remembered of our own writes, beside what they left.
#[derive(Default)]
pub(super) struct Written {
    /// By which manifest an object was last as it should be.
    agreed: Mutex<HashMap<Key, u64>>,
    /// What a manifest could not change. Without it, each pass would write it once more.
    overruled: Mutex<HashMap<Key, (u64, Vec<Difference>)>>,
}

impl Written {
    pub(super) fn agreed(&self, namespace: &str, manifest: &Manifest) {
        let key = (namespace.to_owned(), manifest.name().to_owned());
        lock(&self.agreed).insert(key, hash(manifest));
    }

    pub(super) fn had_agreed(&self, namespace: &str, manifest: &Manifest) -> bool {
        let key = (namespace.to_owned(), manifest.name().to_owned());
        lock(&self.agreed).get(&key) == Some(&hash(manifest))
    }

    pub(super) fn overruled(
        &self,
        namespace: &str,
        manifest: &Manifest,
        left: Vec<Difference>,
    ) -> bool {
        let key = (namespace.to_owned(), manifest.name().to_owned());
        let mut overruled = lock(&self.overruled);
        if left.is_empty() {
            overruled.remove(&key);
            return false;
        }
        let now = (hash(manifest), left);
        overruled.insert(key, now.clone()) != Some(now)
    }

    pub(super) fn was_overruled(
        &self,
        namespace: &str,
        manifest: &Manifest,
        differences: &[Difference],
    ) -> bool {
        let key = (namespace.to_owned(), manifest.name().to_owned());
        lock(&self.overruled)
            .get(&key)
            .is_some_and(|(of, left)| *of == hash(manifest) && left == differences)
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, key: &Key) {
        lock(&self.agreed).remove(key);
        lock(&self.overruled).remove(key);
    }

    /// Forgets all objects but those that are there.
    pub(super) fn keep(&self, is_there: impl Fn(&Key) -> bool) {
        lock(&self.agreed).retain(|key, _| is_there(key));
        lock(&self.overruled).retain(|key, _| is_there(key));
    }
}

fn hash(manifest: &Manifest) -> u64 {
    let mut hasher = DefaultHasher::new();
    manifest.object.hash(&mut hasher);
    hasher.finish()
}
