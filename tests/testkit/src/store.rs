//! Objects, and everything that has happened to them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::resources::ResourceType;

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(resource: &ResourceType, namespace: &str, name: &str) -> Self {
        let namespace = if resource.namespaced { namespace } else { "" };
        Self {
            group: resource.api.group.clone(),
            plural: resource.api.plural.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn is_of(&self, resource: &ResourceType) -> bool {
        self.group == resource.api.group && self.plural == resource.api.plural
    }
}

/// What watches are told, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Change {
        revision: u64,
        key: Key,
        old: Option<Value>,
        new: Option<Value>,
    },
    /// To those that want bookmarks.
    Bookmark { revision: u64 },
    /// To those of a kind that are there, by group and plural.
    End {
        group: String,
        plural: String,
        how: WatchEnd,
    },
}

/// How a watch ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// The answer ends, as it does after `timeoutSeconds`.
    Closed,
    /// The connection breaks.
    Reset,
    /// An `ERROR` event says 410: the version is too old.
    Expired,
}

/// All objects.
#[derive(Debug)]
pub(crate) struct Store {
    objects: BTreeMap<Key, Value>,
    pub(crate) events: Vec<Event>,
    revision: u64,
    /// Watches from before this revision get 410.
    compacted: u64,
    uids: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            events: Vec::new(),
            // An API server has written objects of its own before anybody else comes.
            revision: 100,
            compacted: 0,
            uids: 0,
        }
    }
}

impl Store {
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn oldest(&self) -> u64 {
        self.compacted
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    pub(crate) fn of_kind(&self, resource: &ResourceType) -> impl Iterator<Item = (&Key, &Value)> {
        self.objects.iter().filter(|(key, _)| key.is_of(resource))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.objects.iter()
    }

    /// A uid that no object has had.
    pub(crate) fn new_uid(&mut self) -> String {
        self.uids += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.uids, self.uids)
    }

    /// Writes an object as its next version.
    pub(crate) fn put(&mut self, key: &Key, mut object: Value) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let old = self.objects.insert(key.clone(), object.clone());
        self.change(key, old, Some(object.clone()));
        object
    }

    /// Takes an object away; gives its last version.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Value> {
        let old = self.objects.remove(key)?;
        self.revision += 1;
        self.change(key, Some(old.clone()), None);
        Some(old)
    }

    fn change(&mut self, key: &Key, old: Option<Value>, new: Option<Value>) {
        self.events.push(Event::Change {
            revision: self.revision,
            key: key.clone(),
            old,
            new,
        });
    }

    /// Forgets everything that has happened, though not what is there.
    pub(crate) fn compact(&mut self) {
        self.revision += 1;
        self.compacted = self.revision;
    }
}
