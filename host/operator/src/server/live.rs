//! The objects that are there: one watch for each kind, filtered by our label, kept small.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::future::join_all;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::{self, labels};
use mcp_operator_core::manifest::ManagedKind;
use serde_json::Value;
use strum::IntoEnumIterator;
use tokio::sync::mpsc;

use super::servers::ServerRef;
use crate::watch;

/// The objects that are there, of all servers.
pub(super) struct Live {
    kinds: HashMap<ManagedKind, Kind>,
}

struct Kind {
    resource: ApiResource,
    store: Store<DynamicObject>,
    written: Arc<Written>,
}

/// What the API server answered to our own writes and the watch has not shown yet. Without it, a pass
/// that comes too early would write the same thing again.
#[derive(Default)]
struct Written(Mutex<HashMap<(String, String), Arc<DynamicObject>>>);

impl Live {
    /// Starts the watches. The owner of every object that changes is sent to `owners`.
    pub(super) fn watch(client: &Client, owners: mpsc::UnboundedSender<ServerRef>) -> Self {
        let kinds = ManagedKind::iter()
            .map(|kind| (kind, Kind::watch(client, kind, owners.clone())))
            .collect();
        Self { kinds }
    }

    /// Waits until every watch has shown what was there at the start.
    pub(super) async fn ready(&self) {
        join_all(
            self.kinds
                .values()
                .map(|kind| kind.store.wait_until_ready()),
        )
        .await;
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

    /// Notes what the API server answered to a write.
    pub(super) fn written(&self, kind: ManagedKind, mut object: DynamicObject) {
        if let Some(known) = self.kinds.get(&kind) {
            trim(kind)(&mut object);
            known.written.insert(object);
        }
    }
}

impl Kind {
    fn watch(client: &Client, kind: ManagedKind, owners: mpsc::UnboundedSender<ServerRef>) -> Self {
        let resource = kind.api_resource();
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let ours = watcher::Config::default().labels(&format!(
            "{}={}",
            labels::MANAGED_BY,
            labels::MANAGED_BY_VALUE
        ));
        let (store, writer) = watch::store(resource.clone());
        let written = Arc::new(Written::default());
        let outdated = written.clone();
        let events = watch::reflected(kind.name(), api, ours, writer, trim(kind));
        tokio::spawn(events.for_each(move |event| {
            outdated.seen(&event);
            if let Event::Apply(object) | Event::Delete(object) | Event::InitApply(object) = &event
                && let Some(owner) = owner(object)
            {
                // The receiver is gone only when the program ends.
                let _ = owners.send(owner);
            }
            futures::future::ready(())
        }));
        Self {
            resource,
            store,
            written,
        }
    }

    fn get(&self, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        let reference = ObjectRef::new_with(name, self.resource.clone()).within(namespace);
        self.written
            .newer(namespace, name)
            .or_else(|| self.store.get(&reference))
    }
}

impl Written {
    fn insert(&self, object: DynamicObject) {
        self.lock().insert(key(&object), Arc::new(object));
    }

    fn newer(&self, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        self.lock()
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    /// Forgets what the watch has caught up with.
    fn seen(&self, event: &Event<DynamicObject>) {
        match event {
            Event::Apply(object) | Event::InitApply(object) => {
                let mut written = self.lock();
                if written
                    .get(&key(object))
                    .is_some_and(|answer| version(answer) <= version(object))
                {
                    written.remove(&key(object));
                }
            }
            Event::Delete(object) => {
                self.lock().remove(&key(object));
            }
            // After a new list the store is as new as anything that was written before it.
            Event::InitDone => self.lock().clear(),
            Event::Init => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Arc<DynamicObject>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(object: &DynamicObject) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn version(object: &DynamicObject) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

fn owner(object: &DynamicObject) -> Option<ServerRef> {
    let owner = object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true) && owner.kind == names::SERVER_KIND)?;
    Some(ObjectRef::new(&owner.name).within(&object.namespace()?))
}

/// Keeps of an object what is compared: what is ours, and how a Deployment stands.
fn trim(kind: ManagedKind) -> fn(&mut DynamicObject) {
    match kind {
        ManagedKind::Deployment => keep_what_we_applied,
        _ => |object| {
            keep_what_we_applied(object);
            if let Value::Object(members) = &mut object.data {
                members.remove("status");
            }
        },
    }
}

fn keep_what_we_applied(object: &mut DynamicObject) {
    if let Some(managed) = &mut object.metadata.managed_fields {
        managed.retain(|entry| {
            entry.manager.as_deref() == Some(names::field_managers::SERVER)
                && entry.subresource.is_none()
        });
    }
}
