//! The objects of one kind, as compressed JSON text: as trees, the many small maps of `managedFields` take some twenty times as much
//! memory, and an object is read rarely.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::compressed::{Compressed, Dictionary};

/// Namespace and name.
pub(crate) type ObjectName = (String, String);

/// What the watch has shown or the API server has answered to our own writes, whichever is newer: read your own writes.
#[derive(Default)]
pub(super) struct Objects {
    known: Mutex<Known>,
    dictionary: Dictionary,
}

#[derive(Default)]
struct Known {
    objects: HashMap<ObjectName, Stored>,
    /// A new list counts only when it is complete.
    listing: Option<HashMap<ObjectName, Stored>>,
    /// Versions at which objects were deleted, for as long as an answer to a write before may come.
    deleted: HashMap<ObjectName, (Option<u64>, Instant)>,
}

/// No answer to a write comes later than this after its object was deleted.
const LATEST_ANSWER: Duration = Duration::from_mins(1);

/// An object, as it is kept.
#[derive(Clone)]
pub(super) struct Stored {
    /// Without the version: two texts differ only if the objects do.
    text: Compressed,
    version: Option<u64>,
    /// Hash of everything but the status and the version.
    hash_without_status: u64,
}

impl Objects {
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<DynamicObject> {
        let key = (namespace.to_owned(), name.to_owned());
        let stored = lock(&self.known).objects.get(&key)?.clone();
        stored.object()
    }

    pub(super) fn contains(&self, key: &ObjectName) -> bool {
        lock(&self.known).objects.contains_key(key)
    }

    pub(super) fn names(&self) -> Vec<ObjectName> {
        lock(&self.known).objects.keys().cloned().collect()
    }

    pub(super) fn hash_without_status(&self, namespace: &str, name: &str) -> Option<u64> {
        let key = (namespace.to_owned(), name.to_owned());
        let known = lock(&self.known);
        known
            .objects
            .get(&key)
            .map(|stored| stored.hash_without_status)
    }

    /// Takes in an object, and says whether that changes anything: not if it says the same as the one that is known, or is
    /// older.
    pub(super) fn put(&self, object: &DynamicObject) -> bool {
        let Some(stored) = Stored::new(object, &self.dictionary) else {
            return false;
        };
        let mut known = lock(&self.known);
        let key = object_name(object);
        let deleted = known.deleted.get(&key);
        if deleted.is_some_and(|(deleted, _)| *deleted >= stored.version) {
            return false;
        }
        if let Some(listing) = &mut known.listing {
            insert(listing, key.clone(), stored.clone());
        }
        insert(&mut known.objects, key, stored)
    }

    /// Removes a deleted object, and says whether it was there. One that was created anew since then stays.
    pub(super) fn remove(&self, object: &DynamicObject) -> bool {
        let (key, version) = (object_name(object), version(object));
        let mut known = lock(&self.known);
        known
            .deleted
            .retain(|_, (_, at)| at.elapsed() < LATEST_ANSWER);
        known.deleted.insert(key.clone(), (version, Instant::now()));
        let is_last = |objects: &HashMap<ObjectName, Stored>| {
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

    /// Takes in an object of the new list.
    pub(super) fn list(&self, object: &DynamicObject) {
        if let (Some(stored), Some(listing)) = (
            Stored::new(object, &self.dictionary),
            &mut lock(&self.known).listing,
        ) {
            insert(listing, object_name(object), stored);
        }
    }

    /// The new list is complete and takes the place of the old one. Gives what is new or has changed, as it is, and what is
    /// gone, as it was.
    pub(super) fn end_list(&self) -> Vec<Stored> {
        let mut known = lock(&self.known);
        let new = known.listing.take().unwrap_or_default();
        let old = std::mem::replace(&mut known.objects, new);
        let now = &known.objects;
        let has_changed = |key: &ObjectName, stored: &Stored| {
            old.get(key).is_none_or(|before| before.text != stored.text)
        };
        let changed = now.iter().filter(|(key, stored)| has_changed(key, stored));
        let gone = old.iter().filter(|(key, _)| !now.contains_key(*key));
        changed
            .chain(gone)
            .map(|(_, stored)| stored.clone())
            .collect()
    }
}

impl Stored {
    fn new(object: &DynamicObject, dictionary: &Dictionary) -> Option<Self> {
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
            text: dictionary.compress(&text),
            version,
            hash_without_status: hasher.finish(),
        })
    }

    pub(super) fn object(&self) -> Option<DynamicObject> {
        let mut object = self.text.object()?;
        object.metadata.resource_version = self.version.map(|version| version.to_string());
        Some(object)
    }
}

/// What is known may be newer than what the watch shows, by the answer to a write.
fn insert(objects: &mut HashMap<ObjectName, Stored>, key: ObjectName, new: Stored) -> bool {
    let known = objects.get(&key);
    if known.is_some_and(|known| known.version > new.version) {
        return false;
    }
    let is_change = known.is_none_or(|known| known.text != new.text);
    objects.insert(key, new);
    is_change
}

fn version(object: &DynamicObject) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

pub(super) fn object_name(object: &DynamicObject) -> ObjectName {
    (object.namespace().unwrap_or_default(), object.name_any())
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
        assert!(objects.put(&object("a", "1", 80)));
        assert_eq!(objects.get("tools", "a"), Some(object("a", "1", 80)));
        assert!(objects.remove(&object("a", "2", 80)));
        assert_eq!(objects.get("tools", "a"), None);
        assert!(!objects.remove(&object("a", "2", 80)));
    }

    #[test]
    fn another_version_that_says_the_same_is_no_change() {
        let objects = Objects::default();
        objects.put(&object("a", "1", 80));
        assert!(!objects.put(&object("a", "2", 80)));
        assert_eq!(objects.get("tools", "a"), Some(object("a", "2", 80)));
        assert!(objects.put(&object("a", "3", 81)));
    }

    #[test]
    fn the_status_is_no_part_of_the_hash_without_status() {
        let objects = Objects::default();
        let put = |port: u16, status: &str| {
            let mut object = object("a", "1", port);
            object.data["status"] = json!({ "says": status });
            assert!(objects.put(&object));
            objects.hash_without_status("tools", "a").unwrap()
        };
        let before = put(80, "this");
        assert_eq!(put(80, "that"), before);
        assert_ne!(put(81, "that"), before);
    }

    #[test]
    fn what_is_older_than_an_answer_is_left_aside() {
        let objects = Objects::default();
        objects.put(&object("a", "5", 80));
        assert!(!objects.put(&object("a", "4", 81)));
        assert!(!objects.remove(&object("a", "4", 81)), "it was made anew");
        assert_eq!(objects.get("tools", "a"), Some(object("a", "5", 80)));
    }

    /// Whoever deletes is faster than the answer: both events of the watch come before it.
    #[test]
    fn an_answer_that_comes_after_the_deletion_brings_nothing_back() {
        let objects = Objects::default();
        objects.put(&object("a", "5", 80));
        assert!(objects.remove(&object("a", "7", 80)));
        assert!(!objects.put(&object("a", "6", 81)));
        assert_eq!(objects.get("tools", "a"), None);
        // The next one of this name.
        assert!(objects.put(&object("a", "8", 80)));
        assert!(objects.get("tools", "a").is_some());
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
