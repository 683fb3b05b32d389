//! From the watch of a kind to what is known of it, and to whoever must know.

use std::sync::Arc;

use futures::StreamExt;
use kube::api::DynamicObject;
use kube::core::Status;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use mcp_operator_api::names::labels;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::owner::Owner;
use tokio::sync::{mpsc, watch};

use super::super::reference::ServerRef;
use super::objects::{News, Objects, Stored, key};
use super::owned::Owned;
use super::state::State;
use super::trim::trim;
use super::written::Written;
use crate::watch as watches;

/// Where the owners of objects are sent to.
#[derive(Clone)]
pub(in super::super) struct Owners {
    /// Where only the status of an object says something else: whoever changes a server comes first.
    pub(in super::super) progress: mpsc::UnboundedSender<ServerRef>,
    /// Once for the many things that happen within a moment.
    pub(in super::super) soon: mpsc::UnboundedSender<ServerRef>,
    /// Where something is missing.
    pub(in super::super) at_once: mpsc::UnboundedSender<ServerRef>,
}

/// The writing half of a [`Kind`](super::kind::Kind).
pub(super) struct Follower {
    pub(super) kind: ManagedKind,
    pub(super) objects: Arc<Objects>,
    pub(super) written: Arc<Written>,
    pub(super) owned: Option<Arc<Owned>>,
    pub(super) owners: Owners,
    pub(super) tell: watch::Sender<State>,
}

impl Follower {
    /// Watches for as long as the API is served, again and again.
    pub(super) async fn run(self, client: Client, served: Option<watch::Receiver<Option<bool>>>) {
        let api = Api::all_with(client, &self.kind.api_resource());
        let Some(mut served) = served else {
            return self.follow(&api).await;
        };
        loop {
            let now = *served.borrow_and_update();
            match now {
                Some(true) => tokio::select! {
                    () = self.follow(&api) => {}
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

    async fn follow(&self, api: &Api<DynamicObject>) {
        let ours = watcher::Config::default().labels(&format!(
            "{}={}",
            labels::MANAGED_BY,
            labels::MANAGED_BY_VALUE
        ));
        let mut events = watches::told(self.kind.name(), api.clone(), ours).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(event),
                Err(refusal) => self.refused(&refusal),
            }
        }
    }

    /// Whoever is woken finds what woke it: a list wakes when it is complete, and not before.
    fn take(&self, event: Event<DynamicObject>) {
        let trim = trim(self.kind);
        match event {
            Event::Init => self.objects.begin_list(),
            Event::InitApply(mut object) => {
                trim(&mut object);
                self.note_owner(&object);
                self.objects.list(&object);
            }
            Event::InitDone => {
                let changes = self.replace();
                // A kind of which nothing was known before wakes everybody who is there. Who is gone may have left something
                // in another namespace, which somebody must look after.
                if self.turn(State::Listed) {
                    let owners = self.owned.iter().flat_map(|owned| owned.elsewhere());
                    owners.for_each(|owner| send(&self.owners.soon, owner));
                } else {
                    let objects = changes.iter().filter_map(Stored::object);
                    objects.for_each(|object| wake(&self.owners.soon, &object));
                }
            }
            Event::Apply(mut object) => {
                trim(&mut object);
                self.note_owner(&object);
                // What a pass wrote itself, it has seen.
                match self.objects.put(&object) {
                    News::Nothing => {}
                    News::Status => wake(&self.owners.progress, &object),
                    News::Object => wake(&self.owners.soon, &object),
                }
            }
            Event::Delete(object) => {
                if self.objects.remove(&object) {
                    self.written.forget(&key(&object));
                    if let (Some(owned), Some(owner)) = (&self.owned, owner(&object)) {
                        owned.remove(&owner, &key(&object));
                    }
                    wake(&self.owners.at_once, &object);
                }
            }
        }
    }

    fn note_owner(&self, object: &DynamicObject) {
        if let (Some(owned), Some(owner)) = (&self.owned, owner(object)) {
            owned.add(owner, key(object));
        }
    }

    /// Everything of a kind is gone together with its API: that wakes everybody.
    fn forget(&self) {
        self.objects.begin_list();
        self.replace();
        self.turn(State::NotServed);
    }

    /// The new list instead of the old one.
    fn replace(&self) -> Vec<Stored> {
        let changes = self.objects.end_list();
        self.written.keep(|key| self.objects.contains(key));
        if let Some(owned) = &self.owned {
            owned.keep(|key| self.objects.contains(key));
        }
        changes
    }

    fn refused(&self, status: &Status) {
        self.turn(if status.code == 403 {
            State::Forbidden(status.message.clone())
        } else {
            State::NotServed
        });
    }

    /// Says whether the state is another one.
    fn turn(&self, state: State) -> bool {
        self.tell.send_if_modified(|known| {
            let changed = *known != state;
            *known = state;
            changed
        })
    }
}

fn wake(owners: &mpsc::UnboundedSender<ServerRef>, object: &DynamicObject) {
    if let Some(owner) = owner(object) {
        send(owners, owner);
    }
}

fn send(owners: &mpsc::UnboundedSender<ServerRef>, owner: ServerRef) {
    // The receiver is gone only when the program ends.
    let _ = owners.send(owner);
}

/// The server that an object belongs to.
pub(super) fn owner(object: &DynamicObject) -> Option<ServerRef> {
    let owner = Owner::of(object)?;
    Some(ObjectRef::new(&owner.name).within(&owner.namespace))
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
