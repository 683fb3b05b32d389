//! What the garbage collector does, when a test wants it to.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::store::{Key, Store};

/// Deletes, again and again, what names only owners that are not there.
pub(crate) fn collect(store: &mut Store) -> Vec<(String, String)> {
    let mut collected = Vec::new();
    loop {
        let orphans = orphans(store);
        if orphans.is_empty() {
            return collected;
        }
        for key in orphans {
            if let Some(object) = store.remove(&key) {
                let kind = object["kind"].as_str().unwrap_or_default().to_owned();
                collected.push((kind, key.name));
            }
        }
    }
}

fn orphans(store: &Store) -> Vec<Key> {
    let there: BTreeSet<(&str, &str)> = store
        .all()
        .map(|(key, object)| (key.namespace.as_str(), uid(&object["metadata"])))
        .collect();
    let is_there = |key: &Key, owner: &Value| {
        // An owner is in the same namespace, or in none.
        ["", &key.namespace]
            .iter()
            .any(|namespace| there.contains(&(*namespace, uid(owner))))
    };
    let objects = store.all().filter(|(key, object)| {
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| {
            !owners.is_empty() && !owners.iter().any(|owner| is_there(key, owner))
        })
    });
    objects.map(|(key, _)| key.clone()).collect()
}

fn uid(value: &Value) -> &str {
    value["uid"].as_str().unwrap_or_default()
}
