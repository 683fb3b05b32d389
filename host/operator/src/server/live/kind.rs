//! All objects of one kind that are there.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::{self, labels};
use mcp_operator_core::manifest::ManagedKind;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tracing::warn;

use super::super::apis::watch_served;
use super::super::servers::ServerRef;
use super::objects::Objects;
use super::written::Written;
use crate::watch as watches;

/// What is known about a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum State {
    /// Its watch has not shown anything yet.
    Starting,
    /// Its API is not installed.
    NotServed,
    /// Reading it is forbidden, in the words of the API server.
    Forbidden(String),
    /// All objects are known.
    Listed,
}

pub(super) struct Kind {
    objects: Arc<Objects>,
    pub(super) written: Arc<Written>,
    owned: Arc<Owned>,
    state: watch::Receiver<State>,
}

/// Names by owner, for kinds of which a server has several. May name what is gone: the store knows.
#[derive(Default)]
struct Owned(Mutex<HashMap<ServerRef, BTreeSet<String>>>);

impl Kind {
    pub(super) fn watch(
        client: &Client,
        kind: ManagedKind,
        owners: mpsc::UnboundedSender<ServerRef>,
    ) -> Self {
        let resource = kind.api_resource();
        let objects = Arc::new(Objects::default());
        let (tell, state) = watch::channel(State::Starting);
        let (written, owned) = (Arc::new(Written::default()), Arc::new(Owned::default()));
        let follower = Follower {
            kind,
            api: Api::all_with(client.clone(), &resource),
            objects: objects.clone(),
            written: written.clone(),
            owned: owned.clone(),
            owners,
            tell,
        };
        let served = kind.is_optional().then(|| watch_served(client, kind));
        tokio::spawn(follower.run(served));
        Self {
            objects,
            written,
            owned,
            state,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(super) fn states(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        self.written
            .newer(namespace, name)
            .or_else(|| self.objects.get(namespace, name).map(Arc::new))
    }

    pub(super) fn names_of(&self, server: &ServerRef) -> BTreeSet<String> {
        self.owned.of(server)
    }

    pub(super) fn wrote(&self, kind: ManagedKind, mut object: DynamicObject) {
        trim(kind)(&mut object);
        if let Some(owner) = owner(&object) {
            self.owned.add(owner, object.name_any());
        }
        self.written.insert(object);
    }
}

impl Owned {
    fn of(&self, server: &ServerRef) -> BTreeSet<String> {
        self.lock().get(server).cloned().unwrap_or_default()
    }

    fn add(&self, server: ServerRef, name: String) {
        self.lock().entry(server).or_default().insert(name);
    }

    fn remove(&self, server: &ServerRef, name: &str) {
        let mut owned = self.lock();
        if let Some(names) = owned.get_mut(server) {
            names.remove(name);
            if names.is_empty() {
                owned.remove(server);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ServerRef, BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing half of a [`Kind`].
struct Follower {
    kind: ManagedKind,
    api: Api<DynamicObject>,
    objects: Arc<Objects>,
    written: Arc<Written>,
    owned: Arc<Owned>,
    owners: mpsc::UnboundedSender<ServerRef>,
    tell: watch::Sender<State>,
}

impl Follower {
    /// Watches for as long as the API is served, again and again.
    async fn run(mut self, served: Option<watch::Receiver<Option<bool>>>) {
        let Some(mut served) = served else {
            return self.follow().await;
        };
        loop {
            let now = *served.borrow_and_update();
            match now {
                Some(true) => tokio::select! {
                    () = self.follow() => {}
                    // The sender lives as long as the program.
                    _ = served.wait_for(|served| *served == Some(false)) => {}
                },
                Some(false) => {
                    self.forget();
                    let _ = served.changed().await;
                }
                None => drop(served.changed().await),
            }
        }
    }

    async fn follow(&mut self) {
        let ours = watcher::Config::default().labels(&format!(
            "{}={}",
            labels::MANAGED_BY,
            labels::MANAGED_BY_VALUE
        ));
        let mut events = watcher(self.api.clone(), ours)
            .default_backoff()
            .modify(trim(self.kind))
            .boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(&event),
                Err(error) => self.failed(&error),
            }
        }
    }

    fn take(&mut self, event: &Event<DynamicObject>) {
        self.objects.take(event);
        let is_known = self.written.seen(event);
        if let Event::Apply(object) | Event::Delete(object) | Event::InitApply(object) = event
            && let Some(owner) = owner(object)
        {
            match event {
                Event::Delete(_) => self.owned.remove(&owner, &object.name_any()),
                _ => self.owned.add(owner.clone(), object.name_any()),
            }
            // The pass that wrote it has seen it.
            if !is_known {
                // The receiver is gone only when the program ends.
                let _ = self.owners.send(owner);
            }
        }
        if matches!(event, Event::InitDone) {
            self.turn(State::Listed);
        }
    }

    /// Everything of a kind is gone together with its API.
    fn forget(&mut self) {
        for event in [Event::Init, Event::InitDone] {
            self.objects.take(&event);
            self.written.seen(&event);
        }
        self.turn(State::NotServed);
    }

    fn failed(&self, error: &watcher::Error) {
        let kind = self.kind.name();
        warn!(watch = kind, %error, "watch failed, trying again");
        match watches::refusal(error) {
            Some(status) if status.code == 403 => {
                self.turn(State::Forbidden(status.message.clone()));
            }
            Some(status) if status.code == 404 => self.turn(State::NotServed),
            _ => {}
        }
    }

    fn turn(&self, state: State) {
        self.tell.send_if_modified(|known| {
            let changed = *known != state;
            *known = state;
            changed
        });
    }
}

fn owner(object: &DynamicObject) -> Option<ServerRef> {
    let owner = object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true) && owner.kind == names::SERVER_KIND)?;
    Some(ObjectRef::new(&owner.name).within(&object.namespace()?))
}

/// Keeps of an object what is compared: what is ours, and how it stands where that is told.
fn trim(kind: ManagedKind) -> fn(&mut DynamicObject) {
    match kind {
        ManagedKind::Deployment | ManagedKind::ExternalSecret => keep_what_we_applied,
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
