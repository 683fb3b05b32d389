//! From the watch of a kind to the cache, and to the work queue.

use std::sync::Arc;

use futures::StreamExt;
use kube::api::DynamicObject;
use kube::core::Status;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::labels;
use mcp_operator_core::build::child_name;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::owner_reference::{Owner, named_by_label};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::watch::watch_with_refusals;
use mcp_operator_runtime::{Priority, ServerStore, WorkQueue};
use tokio::sync::watch;

use super::apply_history::ApplyHistory;
use super::availability::Availability;
use super::objects::{Objects, Stored, object_name};
use super::owner_index::OwnerIndex;
use super::trim::{keep_owner, trim};
use crate::controller::DEBOUNCE;

/// Whether there is an MCPServer with a uid.
pub(super) type IsServer = Arc<dyn Fn(&ServerKey, &str) -> bool + Send + Sync>;

/// Keeps the objects of one kind in step with a watch, and adds their owners to the work queue when they change: the writing
/// half of a [`KindCache`](super::kind::KindCache).
pub(super) struct Reflector {
    pub(super) kind: ManagedKind,
    pub(super) objects: Arc<Objects>,
    pub(super) history: Arc<ApplyHistory>,
    pub(super) owners: Option<Arc<OwnerIndex>>,
    pub(super) queue: WorkQueue<ServerKey>,
    /// Whether there is a server with this uid.
    pub(super) is_server: IsServer,
    pub(super) availability: watch::Sender<Availability>,
}

impl Reflector {
    /// Watches for as long as the API is served, again and again.
    pub(super) async fn run(
        self,
        client: Client,
        served: Option<watch::Receiver<Option<bool>>>,
        servers: ServerStore,
    ) {
        let api = Api::all_with(client, &self.kind.api_resource());
        let Some(mut served) = served else {
            return self.reflect(&api, &servers).await;
        };
        loop {
            let now = *served.borrow_and_update();
            let known = match now {
                Some(true) => tokio::select! {
                    () = self.reflect(&api, &servers) => Ok(()),
                    known = served.wait_for(|served| *served == Some(false)) => known.map(drop),
                },
                Some(false) => {
                    self.forget();
                    served.changed().await
                }
                None => served.changed().await,
            };
            // Without its sender, nothing says whether there is an API; the supervisor ends the process.
            if known.is_err() {
                return;
            }
        }
    }

    async fn reflect(&self, api: &Api<DynamicObject>, servers: &ServerStore) {
        let ours = watcher::Config::default().labels(&format!(
            "{}={}",
            labels::MANAGED_BY,
            labels::MANAGED_BY_VALUE
        ));
        let mut events = watch_with_refusals(self.kind.name(), api.clone(), ours).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    // What of an object is kept depends on whether its server exists.
                    if matches!(event, Event::InitApply(_)) && servers.ready().await.is_err() {
                        return;
                    }
                    self.apply_event(event);
                }
                Err(refusal) => self.on_refusal(&refusal),
            }
        }
    }

    /// Takes an event in before it queues the owner, so that the reconcile sees what caused it. Of a list, owners are queued
    /// when it is complete: the cache shows it only then.
    fn apply_event(&self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.objects.begin_list(),
            Event::InitApply(mut object) => {
                self.trim(&mut object);
                self.index_owner(&object);
                self.objects.list(&object);
            }
            Event::InitDone => {
                let changes = self.complete_list();
                // A kind that becomes readable causes a reconcile of all servers that exist. A server that is gone may have
                // left something in another namespace.
                if self.set_availability(Availability::Listed) {
                    let owners = self.owners.iter().flat_map(|owners| owners.elsewhere());
                    owners.for_each(|owner| self.add_later(owner));
                } else {
                    let objects = changes.iter().filter_map(Stored::object);
                    objects.for_each(|object| self.queue_owner(&object));
                }
            }
            Event::Apply(mut object) => {
                self.trim(&mut object);
                self.index_owner(&object);
                // Our own writes are in the cache before their events come.
                if self.objects.put(&object) {
                    self.queue_owner(&object);
                }
            }
            Event::Delete(object) => {
                if self.objects.remove(&object) {
                    self.history.forget(&object_name(&object));
                    let owner = owner(&object);
                    if let (Some(owners), Some(owner)) = (&self.owners, &owner) {
                        owners.remove(owner, &object_name(&object));
                    }
                    // Something is missing: no reason to wait for more.
                    if let Some(owner) = owner {
                        self.queue.add(owner);
                    }
                }
            }
        }
    }

    /// Takes from an object what nobody reads: nearly everything where it is no server's, whatever its labels say.
    fn trim(&self, object: &mut DynamicObject) {
        if self.is_of_server(object) {
            trim(self.kind)(object);
        } else {
            keep_owner(object);
        }
    }

    fn is_of_server(&self, object: &DynamicObject) -> bool {
        let Some(owner) = Owner::of(object) else {
            return false;
        };
        let key = ServerKey::new(owner.namespace, owner.name);
        let has_its_name = object.metadata.name.as_deref() == Some(&child_name(&key.name));
        (has_its_name || self.owners.is_some()) && (self.is_server)(&key, &owner.uid)
    }

    fn index_owner(&self, object: &DynamicObject) {
        if let (Some(owners), Some(owner)) = (&self.owners, owner(object)) {
            owners.add(owner, object_name(object));
        }
    }

    fn queue_owner(&self, object: &DynamicObject) {
        if let Some(owner) = owner(object) {
            self.add_later(owner);
        }
    }

    /// In a burst of new servers, the steps of their rollouts are nearly half of all writes: they come after those servers
    /// that have no objects yet.
    fn add_later(&self, owner: ServerKey) {
        self.queue.add_after(owner, DEBOUNCE, Priority::Low);
    }

    /// All objects of a kind are gone together with its API. The change of the availability causes reconciles.
    fn forget(&self) {
        self.objects.begin_list();
        self.complete_list();
        self.set_availability(Availability::NotServed);
    }

    /// The new list takes the place of the old one.
    fn complete_list(&self) -> Vec<Stored> {
        let changes = self.objects.end_list();
        self.history.retain(|key| self.objects.contains(key));
        if let Some(owners) = &self.owners {
            owners.retain(|key| self.objects.contains(key));
        }
        changes
    }

    fn on_refusal(&self, status: &Status) {
        self.set_availability(if status.code == 403 {
            Availability::Forbidden(status.message.clone())
        } else {
            Availability::NotServed
        });
    }

    /// Says whether that changes anything.
    fn set_availability(&self, availability: Availability) -> bool {
        self.availability.send_if_modified(|known| {
            let changed = *known != availability;
            *known = availability;
            changed
        })
    }
}

/// The server that an object belongs to, or may be taken back by.
pub(super) fn owner(object: &DynamicObject) -> Option<ServerKey> {
    if let Some(owner) = Owner::of(object) {
        return Some(ServerKey::new(owner.namespace, owner.name));
    }
    let name = named_by_label(object)?;
    Some(ServerKey::new(object.namespace()?, name))
}

#[cfg(test)]
#[path = "reflector_tests.rs"]
mod tests;
