//! Whose objects are which, for the kinds of which a server can have several.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use super::super::reference::ServerRef;
use super::objects::{Key, lock};

/// Namespaces and names by owner. May name what is gone: the objects themselves tell.
#[derive(Default)]
pub(super) struct Owned(Mutex<HashMap<ServerRef, BTreeSet<Key>>>);

impl Owned {
    pub(super) fn of(&self, server: &ServerRef) -> BTreeSet<Key> {
        lock(&self.0).get(server).cloned().unwrap_or_default()
    }

    pub(super) fn add(&self, server: ServerRef, key: Key) {
        lock(&self.0).entry(server).or_default().insert(key);
    }

    pub(super) fn remove(&self, server: &ServerRef, key: &Key) {
        let mut owned = lock(&self.0);
        if let Some(keys) = owned.get_mut(server) {
            keys.remove(key);
            if keys.is_empty() {
                owned.remove(server);
            }
        }
    }

    /// Owners of objects in other namespaces than their own.
    pub(super) fn elsewhere(&self) -> Vec<ServerRef> {
        let owned = lock(&self.0);
        let is_elsewhere = |server: &ServerRef, keys: &BTreeSet<Key>| {
            keys.iter()
                .any(|(namespace, _)| Some(namespace) != server.namespace.as_ref())
        };
        let owners = owned.iter();
        owners
            .filter(|(server, keys)| is_elsewhere(server, keys))
            .map(|(server, _)| server.clone())
            .collect()
    }

    /// Forgets all objects but those that are there.
    pub(super) fn keep(&self, is_there: impl Fn(&Key) -> bool) {
        lock(&self.0).retain(|_, keys| {
            keys.retain(&is_there);
            !keys.is_empty()
        });
    }
}
