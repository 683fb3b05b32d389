//! The objects that are there: one watch for each kind, filtered by our label, kept small.

mod follower;
mod kind;
mod objects;
mod owned;
mod packed;
mod state;
mod trim;
mod written;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::{BoxStream, SelectAll};
use kube::Client;
use kube::api::DynamicObject;
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::ownership::Difference;
use strum::IntoEnumIterator;

pub(super) use self::follower::Owners;
use self::kind::Kind;
pub(super) use self::objects::Key;
pub(super) use self::state::State;
use super::reference::ServerRef;
use crate::watch as watches;

/// The objects that are there, of all servers.
pub(super) struct Live {
    kinds: HashMap<ManagedKind, Kind>,
}

impl Live {
    /// Starts the watches. The owner of every object that changes is sent to `owners`.
    pub(super) fn watch(client: &Client, owners: &Owners) -> Self {
        let kinds = ManagedKind::iter()
            .map(|kind| (kind, Kind::watch(client, kind, owners.clone())))
            .collect();
        Self { kinds }
    }

    /// Waits until it is known of every kind what is there, or why that cannot be known.
    pub(super) async fn ready(&self) {
        let known = self.kinds.values().map(|kind| async {
            let mut states = kind.states();
            // The sender lives as long as the program.
            let _ = states.wait_for(|state| *state != State::Starting).await;
        });
        join_all(known).await;
    }

    /// Something whenever a kind becomes readable, or is no longer.
    pub(super) fn states_change(&self) -> BoxStream<'static, ()> {
        let changes = self
            .kinds
            .values()
            .map(|kind| watches::changes(kind.states()));
        changes.collect::<SelectAll<_>>().boxed()
    }

    /// What is known about a kind.
    pub(super) fn state(&self, kind: ManagedKind) -> State {
        self.kinds.get(&kind).map_or(State::Starting, Kind::state)
    }

    /// An object as it is; nothing if it is not there or does not carry our label.
    pub(super) fn get(
        &self,
        kind: ManagedKind,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<DynamicObject>> {
        self.kinds.get(&kind)?.get(namespace, name)
    }

    /// Changes whenever an object says something else than before, its status aside; nothing if it is not there.
    pub(super) fn fingerprint(
        &self,
        kind: ManagedKind,
        namespace: &str,
        name: &str,
    ) -> Option<u64> {
        self.kinds.get(&kind)?.fingerprint(namespace, name)
    }

    /// Namespaces and names of the objects of a kind that a server owned lately; some may be gone.
    pub(super) fn keys_of(&self, kind: ManagedKind, server: &ServerRef) -> BTreeSet<Key> {
        self.kinds
            .get(&kind)
            .map(|kind| kind.keys_of(server))
            .unwrap_or_default()
    }

    /// Notes that an object is as this manifest says.
    pub(super) fn agreed(&self, manifest: &Manifest, namespace: &str) {
        if let Some(kind) = self.kinds.get(&manifest.kind) {
            kind.written.agreed(namespace, manifest);
        }
    }

    /// Whether the object was once as this very manifest says: then somebody else has changed it.
    pub(super) fn had_agreed(&self, manifest: &Manifest, namespace: &str) -> bool {
        let kind = self.kinds.get(&manifest.kind);
        kind.is_some_and(|kind| kind.written.had_agreed(namespace, manifest))
    }

    /// Notes what a write has left different, because somebody changes it as it is written. Says whether that is news.
    pub(super) fn overruled(
        &self,
        manifest: &Manifest,
        namespace: &str,
        left: Vec<Difference>,
    ) -> bool {
        let kind = self.kinds.get(&manifest.kind);
        kind.is_some_and(|kind| kind.written.overruled(namespace, manifest, left))
    }

    /// Whether writing this manifest again would leave the same differences.
    pub(super) fn was_overruled(
        &self,
        manifest: &Manifest,
        namespace: &str,
        differences: &[Difference],
    ) -> bool {
        let kind = self.kinds.get(&manifest.kind);
        kind.is_some_and(|kind| kind.written.was_overruled(namespace, manifest, differences))
    }

    /// Notes what the API server answered to a write.
    pub(super) fn written(&self, kind: ManagedKind, object: DynamicObject) {
        if let Some(known) = self.kinds.get(&kind) {
            known.wrote(kind, object);
        }
    }
}
