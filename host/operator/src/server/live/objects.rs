//! The objects of one kind, kept small.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::watcher::Event;

/// Namespace and name.
pub(super) type Key = (String, String);

/// What the watch has shown, as JSON text: as trees, the many small maps of `managedFields` take some twenty times as
/// much memory, and an object is looked at rarely.
#[derive(Default)]
pub(super) struct Objects {
    known: Mutex<HashMap<Key, Box<[u8]>>>,
    /// A new list counts only when it is complete.
    listing: Mutex<HashMap<Key, Box<[u8]>>>,
}

impl Objects {
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<DynamicObject> {
        let key = (namespace.to_owned(), name.to_owned());
        let text = lock(&self.known).get(&key)?.clone();
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn take(&self, event: &Event<DynamicObject>) {
        match event {
            Event::Apply(object) => insert(&self.known, object),
            Event::Delete(object) => {
                lock(&self.known).remove(&key(object));
            }
            Event::Init => lock(&self.listing).clear(),
            Event::InitApply(object) => insert(&self.listing, object),
            Event::InitDone => *lock(&self.known) = std::mem::take(&mut *lock(&self.listing)),
        }
    }
}

fn insert(objects: &Mutex<HashMap<Key, Box<[u8]>>>, object: &DynamicObject) {
    // What came as JSON can become JSON again.
    if let Ok(text) = serde_json::to_vec(object) {
        lock(objects).insert(key(object), text.into_boxed_slice());
    }
}

pub(super) fn key(object: &DynamicObject) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, version: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": "tools", "resourceVersion": version },
            "spec": { "type": "ClusterIP" },
        }))
        .unwrap()
    }

    #[test]
    fn an_object_comes_out_as_it_went_in() {
        let objects = Objects::default();
        objects.take(&Event::Apply(object("a", "1")));
        assert_eq!(objects.get("tools", "a"), Some(object("a", "1")));
        objects.take(&Event::Delete(object("a", "1")));
        assert_eq!(objects.get("tools", "a"), None);
    }

    #[test]
    fn a_new_list_counts_when_it_is_complete() {
        let objects = Objects::default();
        objects.take(&Event::Apply(object("gone", "1")));
        objects.take(&Event::Init);
        objects.take(&Event::InitApply(object("a", "2")));
        assert!(objects.get("tools", "gone").is_some() && objects.get("tools", "a").is_none());
        objects.take(&Event::InitDone);
        assert!(objects.get("tools", "gone").is_none() && objects.get("tools", "a").is_some());
    }
}
