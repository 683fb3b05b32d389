//! The objects of one kind, kept small.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::api::DynamicObject;

use super::packed::{Packed, Pattern};

/// Namespace and name.
pub(in super::super) type Key = (String, String);

/// What the watch has shown and what the API server answered to our own writes, whichever is newer.
#[derive(Default)]
pub(super) struct Objects {
    known: Mutex<Known>,
    pattern: Pattern,
}

#[derive(Default)]
struct Known {
    objects: HashMap<Key, Stored>,
    /// A new list counts only when it is complete.
    listing: Option<HashMap<Key, Stored>>,
}

/// An object that is known.
#[derive(Clone)]
pub(super) struct Stored {
    /// Without the version: two texts differ only if the objects do.
    text: Packed,
    version: Option<u64>,
    /// Of everything but the status.
    fingerprint: u64,
}

/// What is new about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    Nothing,
    /// Its status.
    Status,
    /// Something else.
    Object,
}

impl Objects {
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<DynamicObject> {
        let key = (namespace.to_owned(), name.to_owned());
        let stored = lock(&self.known).objects.get(&key)?.clone();
        stored.object()
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        lock(&self.known).objects.contains_key(key)
    }

    pub(super) fn fingerprint(&self, namespace: &str, name: &str) -> Option<u64> {
        let key = (namespace.to_owned(), name.to_owned());
        let known = lock(&self.known);
        known.objects.get(&key).map(|stored| stored.fingerprint)
    }

    /// Takes an object as it is now. Says what is news: nothing, if it is as new and says the same, or is older than what
    /// is known.
    pub(super) fn put(&self, object: &DynamicObject) -> News {
        let Some(stored) = Stored::new(object, &self.pattern) else {
            return News::Nothing;
        };
        let mut known = lock(&self.known);
        if let Some(listing) = &mut known.listing {
            insert(listing, key(object), stored.clone());
        }
        insert(&mut known.objects, key(object), stored)
    }

    /// Takes an object away that is gone. Says whether it was there: one that was made anew since then stays.
    pub(super) fn remove(&self, object: &DynamicObject) -> bool {
        let (key, version) = (key(object), version(object));
        let mut known = lock(&self.known);
        let is_last = |objects: &HashMap<Key, Stored>| {
            objects
                .get(&key)
                .is_some_and(|stored| stored.version <= version)
        };
        if let Some(listing) = known.listing.as_mut().filter(|listing| is_last(listing)) {
            listing.remove(&key);
        }
        is_last(&known.objects) && known.objects.remove(&key).is_some()
    }

    /// A new list begins.
    pub(super) fn begin_list(&self) {
        lock(&self.known).listing = Some(HashMap::new());
    }

    /// Takes an object of the new list.
    pub(super) fn list(&self, object: &DynamicObject) {
        if let (Some(stored), Some(listing)) = (
            Stored::new(object, &self.pattern),
            &mut lock(&self.known).listing,
        ) {
            insert(listing, key(object), stored);
        }
    }

    /// The new list is complete: it is what there is. Gives what is new or has changed, as it is, and what is gone, as it
    /// was.
    pub(super) fn end_list(&self) -> Vec<Stored> {
        let mut known = lock(&self.known);
        let new = known.listing.take().unwrap_or_default();
        let old = std::mem::replace(&mut known.objects, new);
        let now = &known.objects;
        let is_news = |key: &Key, stored: &Stored| {
            old.get(key).is_none_or(|before| before.text != stored.text)
        };
        let changed = now.iter().filter(|(key, stored)| is_news(key, stored));
        let gone = old.iter().filter(|(key, _)| !now.contains_key(*key));
        changed
            .chain(gone)
            .map(|(_, stored)| stored.clone())
            .collect()
    }
}

impl Stored {
    fn new(object: &DynamicObject, pattern: &Pattern) -> Option<Self> {
        let version = version(object);
        let mut object = object.clone();
        object.metadata.resource_version = None;
        let text = serde_json::to_vec(&object).ok()?;
        let members = object.data.as_object_mut();
        let mut hasher = DefaultHasher::new();
        match members.and_then(|members| members.remove("status")) {
            Some(_) => serde_json::to_vec(&object).ok()?.hash(&mut hasher),
            None => text.hash(&mut hasher),
        }
        Some(Self {
            text: pattern.pack(&text),
            version,
            fingerprint: hasher.finish(),
        })
    }

    pub(super) fn object(&self) -> Option<DynamicObject> {
        let mut object = self.text.object()?;
        object.metadata.resource_version = self.version.map(|version| version.to_string());
        Some(object)
    }
}

/// What is known may be newer than what the watch shows, by an answer to a write.
fn insert(objects: &mut HashMap<Key, Stored>, key: Key, new: Stored) -> News {
    let news = match objects.get(&key) {
        Some(known) if known.version > new.version => return News::Nothing,
        Some(known) if known.text == new.text => News::Nothing,
        Some(known) if known.fingerprint == new.fingerprint => News::Status,
        _ => News::Object,
    };
    objects.insert(key, new);
    news
}

fn version(object: &DynamicObject) -> Option<u64> {
    object.resource_version()?.parse().ok()
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

    fn object(name: &str, version: &str, port: u16) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": "tools", "resourceVersion": version },
            "spec": { "port": port },
        }))
        .unwrap()
    }

    #[test]
    fn an_object_comes_out_as_it_went_in() {
        let objects = Objects::default();
        assert_eq!(objects.put(&object("a", "1", 80)), News::Object);
        assert_eq!(objects.get("tools", "a"), Some(object("a", "1", 80)));
        assert!(objects.remove(&object("a", "2", 80)));
        assert_eq!(objects.get("tools", "a"), None);
        assert!(!objects.remove(&object("a", "2", 80)));
    }

    #[test]
    fn another_version_that_says_the_same_is_no_news() {
        let objects = Objects::default();
        objects.put(&object("a", "1", 80));
        assert_eq!(objects.put(&object("a", "2", 80)), News::Nothing);
        assert_eq!(objects.get("tools", "a"), Some(object("a", "2", 80)));
        assert_eq!(objects.put(&object("a", "3", 81)), News::Object);
    }

    #[test]
    fn the_status_is_no_part_of_the_fingerprint() {
        let objects = Objects::default();
        let put = |port: u16, status: &str| {
            let mut object = object("a", "1", port);
            object.data["status"] = json!({ "says": status });
            let news = objects.put(&object);
            (news, objects.fingerprint("tools", "a").unwrap())
        };
        let (first, before) = put(80, "this");
        assert_eq!(put(80, "that"), (News::Status, before));
        let (other, now) = put(81, "that");
        assert_eq!((first, other), (News::Object, News::Object));
        assert_ne!(now, before);
    }

    #[test]
    fn what_is_older_than_an_answer_is_left_aside() {
        let objects = Objects::default();
        objects.put(&object("a", "5", 80));
        assert_eq!(objects.put(&object("a", "4", 81)), News::Nothing);
        assert!(!objects.remove(&object("a", "4", 81)), "it was made anew");
        assert_eq!(objects.get("tools", "a"), Some(object("a", "5", 80)));
    }

    #[test]
    fn a_new_list_counts_when_it_is_complete_and_says_what_changed() {
        let objects = Objects::default();
        for name in ["changed", "gone", "same"] {
            objects.put(&object(name, "1", 80));
        }
        objects.begin_list();
        for listed in [
            object("same", "1", 80),
            object("new", "2", 80),
            object("changed", "3", 81),
        ] {
            objects.list(&listed);
        }
        assert!(objects.get("tools", "gone").is_some());
        assert!(objects.get("tools", "new").is_none());
        let mut names: Vec<String> = objects
            .end_list()
            .iter()
            .map(|stored| stored.object().unwrap().name_any())
            .collect();
        names.sort();
        assert_eq!(names, ["changed", "gone", "new"]);
        assert_eq!(objects.get("tools", "gone"), None);
    }

    #[test]
    fn an_answer_that_comes_in_the_middle_of_a_list_outlives_it() {
        let objects = Objects::default();
        objects.put(&object("a", "1", 80));
        objects.begin_list();
        objects.list(&object("a", "1", 80));
        objects.put(&object("a", "2", 81));
        objects.put(&object("b", "3", 80));
        assert!(objects.end_list().is_empty(), "all of it was known");
        assert_eq!(objects.get("tools", "a"), Some(object("a", "2", 81)));
        assert!(objects.get("tools", "b").is_some());
    }
}
