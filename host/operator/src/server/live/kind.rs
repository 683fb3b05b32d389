//! All objects of one kind that are there.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::Client;
use kube::api::DynamicObject;
use mcp_operator_core::build::child_name;
use mcp_operator_core::manifest::ManagedKind;
use tokio::sync::watch;

use super::super::apis::watch_served;
use super::super::reference::ServerRef;
use super::follower::{Follower, Owners, owner};
use super::objects::{Key, Objects, key};
use super::owned::Owned;
use super::state::State;
use super::trim::trim;
use super::written::Written;

pub(super) struct Kind {
    pub(super) written: Arc<Written>,
    objects: Arc<Objects>,
    /// None: a server has one object of this kind at most, in its own namespace and of a name that is known.
    owned: Option<Arc<Owned>>,
    state: watch::Receiver<State>,
}

impl Kind {
    pub(super) fn watch(client: &Client, kind: ManagedKind, owners: Owners) -> Self {
        let (tell, state) = watch::channel(State::Starting);
        let this = Self {
            written: Arc::default(),
            objects: Arc::default(),
            owned: kind.can_be_several().then(Arc::default),
            state,
        };
        let follower = Follower {
            kind,
            objects: this.objects.clone(),
            written: this.written.clone(),
            owned: this.owned.clone(),
            owners,
            tell,
        };
        let served = kind.is_optional().then(|| watch_served(client, kind));
        tokio::spawn(follower.run(client.clone(), served));
        this
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(super) fn states(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        self.objects.get(namespace, name).map(Arc::new)
    }

    pub(super) fn fingerprint(&self, namespace: &str, name: &str) -> Option<u64> {
        self.objects.fingerprint(namespace, name)
    }

    pub(super) fn keys_of(&self, server: &ServerRef) -> BTreeSet<Key> {
        if let Some(owned) = &self.owned {
            return owned.of(server);
        }
        let namespace = server.namespace.clone().unwrap_or_default();
        BTreeSet::from([(namespace, child_name(&server.name))])
    }

    pub(super) fn wrote(&self, kind: ManagedKind, mut object: DynamicObject) {
        trim(kind)(&mut object);
        if let (Some(owned), Some(owner)) = (&self.owned, owner(&object)) {
            owned.add(owner, key(&object));
        }
        self.objects.put(&object);
    }
}
