//! All objects of one kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::Client;
use kube::api::DynamicObject;
use mcp_operator_core::build::child_name;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{ServerStore, TaskGroup, WorkQueue};
use tokio::sync::watch;

use super::apply_history::ApplyHistory;
use super::availability::Availability;
use super::objects::{ObjectName, Objects, object_name};
use super::owner_index::OwnerIndex;
use super::reflector::{Reflector, owner};
use super::served_apis::watch_served;
use super::trim::trim;

/// The objects of one kind, and what its [`Reflector`] says about the kind itself.
pub(super) struct KindCache {
    kind: ManagedKind,
    pub(super) history: Arc<ApplyHistory>,
    objects: Arc<Objects>,
    /// None: a server has one object of this kind at most, in its own namespace and of a name that follows from its own.
    owners: Option<Arc<OwnerIndex>>,
    availability: watch::Receiver<Availability>,
}

impl KindCache {
    pub(super) fn watch(
        client: &Client,
        tasks: &TaskGroup,
        kind: ManagedKind,
        queue: &WorkQueue<ServerKey>,
        servers: &ServerStore,
    ) -> Self {
        let (sender, availability) = watch::channel(Availability::Starting);
        let this = Self {
            kind,
            history: Arc::default(),
            objects: Arc::default(),
            owners: kind.can_be_several().then(Arc::default),
            availability,
        };
        let reflector = Reflector {
            kind,
            objects: this.objects.clone(),
            history: this.history.clone(),
            owners: this.owners.clone(),
            queue: queue.clone(),
            is_server: {
                let servers = servers.clone();
                Arc::new(move |server, uid| servers.has(server, uid))
            },
            availability: sender,
        };
        let served = kind
            .is_optional()
            .then(|| watch_served(client, tasks, &kind.api_resource()));
        tasks.spawn(
            format!("watch of {}", kind.name()),
            reflector.run(client.clone(), served, servers.clone()),
        );
        this
    }

    pub(super) fn availability(&self) -> watch::Receiver<Availability> {
        self.availability.clone()
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<DynamicObject> {
        self.objects.get(namespace, name)
    }

    pub(super) fn hash_without_status(&self, namespace: &str, name: &str) -> Option<u64> {
        self.objects.hash_without_status(namespace, name)
    }

    pub(super) fn keys_of(&self, server: &ServerKey) -> BTreeSet<ObjectName> {
        if let Some(owners) = &self.owners {
            return owners.of(server);
        }
        BTreeSet::from([(server.namespace.clone(), child_name(&server.name))])
    }

    pub(super) fn record_write(&self, mut object: DynamicObject) {
        trim(self.kind)(&mut object);
        if let (Some(owners), Some(owner)) = (&self.owners, owner(&object)) {
            owners.add(owner, object_name(&object));
        }
        self.objects.put(&object);
    }
}
