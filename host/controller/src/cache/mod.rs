//! What is known of the cluster: one watch for each kind of our objects, and for the pods and Secrets of servers, filtered
//! by our labels and kept small.
//!
//! Not kube's `Store`: that keeps whole objects, cannot do without an API that is not installed, and does not know our own
//! writes before its watch shows them.

mod apply_history;
mod availability;
mod compressed;
mod kind;
mod label_index;
mod objects;
mod owner_index;
mod reflector;
mod reports;
mod served_apis;
mod trim;

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use kube::Client;
use kube::api::DynamicObject;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::watch::state_changes;
use mcp_operator_runtime::{ServerStore, TaskGroup, WatchEnded, WorkQueue};
use strum::IntoEnumIterator;

pub(crate) use self::apply_history::ApplyHistory;
pub(crate) use self::availability::Availability;
use self::kind::KindCache;
pub(crate) use self::label_index::{PodIssues, SecretHashes};
pub(crate) use self::objects::ObjectName;
pub(crate) use self::reports::{FoundReport, ReportCache, digest};

/// Our objects, of all servers.
pub(crate) struct ObjectCache {
    /// Has every kind.
    kinds: BTreeMap<ManagedKind, KindCache>,
}

impl ObjectCache {
    /// Starts the watches. The owner of every object that changes is added to `queue`.
    /// Objects of servers that are not in `servers` are not kept whole.
    pub(crate) fn watch(
        client: &Client,
        tasks: &TaskGroup,
        queue: &WorkQueue<ServerKey>,
        servers: &ServerStore,
    ) -> Self {
        let kinds = ManagedKind::iter()
            .map(|kind| {
                let cache = KindCache::watch(client, tasks, kind, queue, servers);
                (kind, cache)
            })
            .collect();
        Self { kinds }
    }

    /// Waits until it is known of every kind which objects there are, or why that cannot be known.
    pub(crate) async fn ready(&self) -> Result<(), WatchEnded> {
        for (kind, cache) in &self.kinds {
            let mut availability = cache.availability();
            let known = availability.wait_for(|now| *now != Availability::Starting);
            known.await.map_err(|_| WatchEnded(kind.name()))?;
        }
        Ok(())
    }

    /// An item whenever a kind becomes readable, or is no longer.
    pub(crate) fn availability_changes(&self) -> BoxStream<'static, ()> {
        let changes = self.kinds.values();
        changes
            .map(|kind| state_changes(kind.availability()))
            .collect::<SelectAll<_>>()
            .boxed()
    }

    /// What is known about a kind.
    pub(crate) fn availability(&self, kind: ManagedKind) -> Availability {
        self.kind(kind).availability().borrow().clone()
    }

    /// An object as it is; nothing if it does not exist or does not carry our label.
    pub(crate) fn get(
        &self,
        kind: ManagedKind,
        namespace: &str,
        name: &str,
    ) -> Option<DynamicObject> {
        self.kind(kind).get(namespace, name)
    }

    /// Changes whenever an object does, its status aside; nothing if it does not exist.
    pub(crate) fn hash_without_status(
        &self,
        kind: ManagedKind,
        namespace: &str,
        name: &str,
    ) -> Option<u64> {
        self.kind(kind).hash_without_status(namespace, name)
    }

    /// Namespaces and names of the objects of a kind that a server may have; some may not exist.
    pub(crate) fn keys_of(&self, kind: ManagedKind, server: &ServerKey) -> BTreeSet<ObjectName> {
        self.kind(kind).keys_of(server)
    }

    /// What came of our applies of a kind.
    pub(crate) fn history(&self, kind: ManagedKind) -> &ApplyHistory {
        &self.kind(kind).history
    }

    /// Takes in what the API server answered to a write.
    pub(crate) fn record_write(&self, kind: ManagedKind, object: DynamicObject) {
        self.kind(kind).record_write(object);
    }

    fn kind(&self, kind: ManagedKind) -> &KindCache {
        // Filled from all kinds when it is made.
        &self.kinds[&kind]
    }
}
