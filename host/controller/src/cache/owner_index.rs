//! Index from servers to their objects, for the kinds of which a server can have several.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use super::objects::{ObjectName, lock};
use mcp_operator_core::server_key::ServerKey;

/// Namespaces and names by owner. It may name objects that are gone: only the objects themselves tell.
#[derive(Default)]
pub(super) struct OwnerIndex(Mutex<HashMap<ServerKey, BTreeSet<ObjectName>>>);

impl OwnerIndex {
    pub(super) fn of(&self, server: &ServerKey) -> BTreeSet<ObjectName> {
        lock(&self.0).get(server).cloned().unwrap_or_default()
    }

    pub(super) fn add(&self, server: ServerKey, key: ObjectName) {
        lock(&self.0).entry(server).or_default().insert(key);
    }

    pub(super) fn remove(&self, server: &ServerKey, key: &ObjectName) {
        let mut owned = lock(&self.0);
        if let Some(keys) = owned.get_mut(server) {
            keys.remove(key);
            if keys.is_empty() {
                owned.remove(server);
            }
        }
    }

    /// Owners of objects in other namespaces than their own.
    pub(super) fn elsewhere(&self) -> Vec<ServerKey> {
        let owned = lock(&self.0);
        let is_elsewhere = |server: &ServerKey, keys: &BTreeSet<ObjectName>| {
            keys.iter()
                .any(|(namespace, _)| *namespace != server.namespace)
        };
        let owners = owned.iter();
        owners
            .filter(|(server, keys)| is_elsewhere(server, keys))
            .map(|(server, _)| server.clone())
            .collect()
    }

    /// Forgets all objects but those that are there.
    pub(super) fn retain(&self, is_there: impl Fn(&ObjectName) -> bool) {
        lock(&self.0).retain(|_, keys| {
            keys.retain(&is_there);
            !keys.is_empty()
        });
    }
}
