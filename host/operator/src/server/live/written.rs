//! What the API server answered to our own writes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::watcher::Event;
use mcp_operator_core::manifest::Manifest;
use mcp_operator_core::ownership::Difference;

use super::objects::{Key, key, lock};

/// What is remembered of our own writes, beside what the watch shows.
#[derive(Default)]
pub(super) struct Written {
    /// Answers that the watch has not shown yet. Without them, a pass that comes too early would write the same thing
    /// again.
    answers: Mutex<HashMap<Key, Arc<DynamicObject>>>,
    /// By which manifest an object was last as it should be.
    agreed: Mutex<HashMap<Key, u64>>,
    /// What a manifest could not change. Without it, each pass would write it once more.
    overruled: Mutex<HashMap<Key, (u64, Vec<Difference>)>>,
}

impl Written {
    pub(super) fn insert(&self, object: DynamicObject) {
        lock(&self.answers).insert(key(&object), Arc::new(object));
    }

    pub(super) fn newer(&self, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        lock(&self.answers)
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

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

    /// Forgets what the watch has caught up with. Says whether it shows just what we know from an answer.
    pub(super) fn seen(&self, event: &Event<DynamicObject>) -> bool {
        match event {
            Event::Apply(object) | Event::InitApply(object) => {
                let mut answers = lock(&self.answers);
                let Some(answer) = answers.get(&key(object)).map(|answer| version(answer)) else {
                    return false;
                };
                if answer <= version(object) {
                    answers.remove(&key(object));
                }
                return answer == version(object);
            }
            Event::Delete(object) => {
                lock(&self.answers).remove(&key(object));
                lock(&self.agreed).remove(&key(object));
                lock(&self.overruled).remove(&key(object));
            }
            // After a new list the store is as new as anything that was written before it.
            Event::InitDone => lock(&self.answers).clear(),
            Event::Init => {}
        }
        false
    }
}

fn version(object: &DynamicObject) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

fn hash(manifest: &Manifest) -> u64 {
    let mut hasher = DefaultHasher::new();
    manifest.object.hash(&mut hasher);
    hasher.finish()
}
