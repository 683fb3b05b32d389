//! Informer of all MCPServers: the one watch that the controller and the registration share.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt};
use mcp_operator_api::names::SERVER_KIND;
use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_api::v1alpha1::{McpServer, McpServerStatus};
use mcp_operator_core::conditions::find;
use mcp_operator_core::server_key::ServerKey;
use tokio::sync::{Notify, watch};

use crate::error::ApiError;
use crate::guarded_server::GuardedServer;
use crate::large_servers::{LargeServerRoom, LargeServers, NoRoom, WholeServer};
use crate::status_overlay::StatusOverlay;
use crate::supervisor::{TaskGroup, WatchEnded};
use crate::watch as watches;

/// All MCPServers that the watch has shown, and the statuses that were written since. Cheap to clone.
#[derive(Clone)]
pub struct ServerStore {
    store: Store<GuardedServer>,
    overlay: StatusOverlay,
    listed: watch::Receiver<bool>,
    changed: Arc<Notify>,
    large: LargeServers,
    room: LargeServerRoom,
}

/// A change of an MCPServer that is not merely the controller's own write of its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerChange {
    /// It is new, or somebody changed its specification, labels or annotations, or deletes it.
    Spec(ServerKey),
    /// A list shows it for the first time, and its status is about what its users want now.
    Listed(ServerKey),
    /// The registration says something else about it.
    Registration(ServerKey),
    /// Its status is another one, which is not known to be the controller's own write.
    Status(ServerKey),
    /// It is gone.
    Deleted(ServerKey),
}

impl ServerStore {
    /// Starts the watch. `on_change` is called for every change that concerns the controller, after the store shows it.
    pub fn watch(
        client: &Client,
        tasks: &TaskGroup,
        mut on_change: impl FnMut(ServerChange) + Send + 'static,
    ) -> Self {
        let (store, mut writer) = watches::store(());
        let (listed, is_listed) = watch::channel(false);
        let this = Self {
            store: store.clone(),
            overlay: StatusOverlay::default(),
            listed: is_listed,
            changed: Arc::default(),
            large: LargeServers::new(client.clone()),
            room: LargeServerRoom::default(),
        };
        let events = watches::events(
            SERVER_KIND,
            Api::all(client.clone()),
            watcher::Config::default(),
            // It has been done as they were read.
            |_| (),
        );
        let (overlay, changed) = (this.overlay.clone(), Arc::clone(&this.changed));
        let room = this.room.clone();
        let mut detector = ChangeDetector::new(store, this.overlay.clone());
        let handled = events.for_each(move |event| {
            let changes = detector.changes(&event);
            writer.apply_watcher_event(&event);
            overlay.observe_event(&event);
            room.observe_event(&event);
            changes.into_iter().for_each(&mut on_change);
            if matches!(event, Event::InitDone) {
                listed.send_replace(true);
            }
            if !matches!(event, Event::Init | Event::InitApply(_)) {
                changed.notify_one();
            }
            futures::future::ready(())
        });
        tasks.spawn("watch of MCPServer", handled);
        this
    }

    /// Waits until the watch has shown what was there at the start.
    ///
    /// Not by [`Store::wait_until_ready`]: that wakes only the last of several who wait, and both the controller and the
    /// registration do.
    ///
    /// # Errors
    /// When the watch has ended.
    pub async fn ready(&self) -> Result<(), WatchEnded> {
        let mut listed = self.listed.clone();
        let ready = listed.wait_for(|listed| *listed).await;
        ready.map(drop).map_err(|_| WatchEnded(SERVER_KIND))
    }

    /// All servers that can be read.
    pub fn all(&self) -> Vec<Arc<GuardedServer>> {
        self.store.state_filter(|guarded| guarded.server.is_ok())
    }

    /// Whether the watch has shown a server with this uid, readable or not.
    pub fn has(&self, server: &ServerKey, uid: &str) -> bool {
        let known = self.get(server);
        known.is_some_and(|known| known.meta().uid.as_deref() == Some(uid))
    }

    /// Those that cannot be read and are not being deleted.
    pub fn unreadable(&self) -> Vec<ServerKey> {
        let guarded = self.store.state_filter(|guarded| {
            guarded.server.is_err() && guarded.meta().deletion_timestamp.is_none()
        });
        guarded
            .iter()
            .map(|guarded| ServerKey::of(&**guarded))
            .collect()
    }

    /// Waits for an event about any server since the last call. For one caller.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A server with the latest status that is known of it.
    pub fn latest<'a>(&self, server: &'a McpServer) -> Cow<'a, McpServer> {
        self.overlay.latest(server)
    }

    /// Whether a server that the informer does not keep whole has room beside the others.
    ///
    /// # Errors
    /// When those of its namespace take too much.
    pub fn room_for(&self, server: &ServerKey) -> Result<(), NoRoom> {
        self.room.room_for(server)
    }

    /// A server that the informer does not keep whole, as it is stored; nothing if it is gone. Few at a time: this waits for
    /// the others.
    ///
    /// # Errors
    /// When the API server does not give it.
    pub async fn whole(&self, shown: &GuardedServer) -> Result<Option<WholeServer>, ApiError> {
        self.large.get(shown).await
    }

    /// Records what the API server answered to a write of a status.
    pub fn record_write(&self, answer: McpServer) {
        self.overlay.record_write(answer);
    }

    /// A server as the watch has shown it; `None` if there is none.
    pub fn get(&self, server: &ServerKey) -> Option<Arc<GuardedServer>> {
        let reference = ObjectRef::new(&server.name).within(&server.namespace);
        self.store.get(&reference)
    }

    /// What the watch has shown.
    pub fn store(&self) -> &Store<GuardedServer> {
        &self.store
    }
}

/// Compares each event with what the store still shows, to tell changes from the controller's own writes of a status.
struct ChangeDetector {
    store: Store<GuardedServer>,
    overlay: StatusOverlay,
    listing: Listing,
}

/// A list that is not complete yet: the store shows it only when it is, and nobody is to be woken before.
#[derive(Default)]
struct Listing {
    keys: HashSet<ServerKey>,
    changes: Vec<ServerChange>,
}

impl ChangeDetector {
    fn new(store: Store<GuardedServer>, overlay: StatusOverlay) -> Self {
        Self {
            store,
            overlay,
            listing: Listing::default(),
        }
    }

    /// What an event changes, beside what the store shows before it takes the event in.
    fn changes(&mut self, event: &Event<GuardedServer>) -> Vec<ServerChange> {
        match event {
            Event::Apply(server) => self.change(server).into_iter().collect(),
            Event::Delete(server) => vec![ServerChange::Deleted(ServerKey::of(server))],
            Event::Init => {
                self.listing = Listing::default();
                Vec::new()
            }
            Event::InitApply(server) => {
                let key = ServerKey::of(server);
                let change = match self.change(server) {
                    Some(ServerChange::Spec(_)) if self.is_known_and_observed(server) => {
                        Some(ServerChange::Listed(key.clone()))
                    }
                    change => change,
                };
                self.listing.keys.insert(key);
                self.listing.changes.extend(change);
                Vec::new()
            }
            Event::InitDone => {
                let Listing { keys, mut changes } = std::mem::take(&mut self.listing);
                let known = self.store.state();
                let gone = known.iter().map(|server| ServerKey::of(&**server));
                let gone = gone.filter(|server| !keys.contains(server));
                changes.extend(gone.map(ServerChange::Deleted));
                changes
            }
        }
    }

    /// Whether it is new only to this process: some replica has been at it since its users changed it.
    fn is_known_and_observed(&self, server: &GuardedServer) -> bool {
        let is_new = self.store.get(&ObjectRef::from_obj(server)).is_none();
        let observed = status(server).and_then(|status| status.observed_generation);
        is_new && observed.is_some() && observed == server.meta().generation
    }

    fn change(&self, server: &GuardedServer) -> Option<ServerChange> {
        let key = ServerKey::of(server);
        let Some(known) = self.store.get(&ObjectRef::from_obj(server)) else {
            return Some(ServerChange::Spec(key));
        };
        if what_users_write(&known) != what_users_write(server) {
            Some(ServerChange::Spec(key))
        } else if registration(&known) != registration(server) {
            Some(ServerChange::Registration(key))
        } else if status(&known) != status(server) && !self.overlay.shows(server) {
            Some(ServerChange::Status(key))
        } else {
            None
        }
    }
}

/// Everything about a server that its users decide. A generation says all about a specification.
fn what_users_write(server: &GuardedServer) -> impl PartialEq + '_ {
    let meta = server.meta();
    (
        &meta.uid,
        meta.generation,
        server.labels(),
        server.annotations(),
        server.cut,
        meta.deletion_timestamp.is_some(),
    )
}

/// The condition of the other writer of the status.
fn registration(server: &GuardedServer) -> Option<impl PartialEq + '_> {
    let condition = find(&status(server)?.conditions, LITELLM_REGISTERED)?;
    Some((
        &condition.status,
        &condition.reason,
        &condition.message,
        condition.observed_generation,
    ))
}

fn status(server: &GuardedServer) -> Option<&McpServerStatus> {
    server.readable()?.status.as_ref()
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::store::Writer;
    use serde_json::json;

    use super::*;

    /// A detector, and the store that it looks at.
    struct Informer {
        detector: ChangeDetector,
        overlay: StatusOverlay,
        writer: Writer<GuardedServer>,
    }

    impl Informer {
        fn new() -> Self {
            let (store, writer) = watches::store(());
            let overlay = StatusOverlay::default();
            Self {
                detector: ChangeDetector::new(store, overlay.clone()),
                overlay,
                writer,
            }
        }

        fn take(&mut self, event: Event<GuardedServer>) -> Vec<ServerChange> {
            let changes = self.detector.changes(&event);
            self.writer.apply_watcher_event(&event);
            self.overlay.observe_event(&event);
            changes
        }
    }

    fn server(name: &str, generation: i64, phase: &str) -> GuardedServer {
        serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": name, "namespace": "tools", "uid": name, "generation": generation },
            "spec": { "image": { "repository": "acme/mcp" } },
            "status": { "phase": phase },
        }))
        .unwrap()
    }

    fn with_version(mut server: GuardedServer, version: &str) -> GuardedServer {
        server.meta_mut().resource_version = Some(version.into());
        server
    }

    fn key(name: &str) -> ServerKey {
        ServerKey::new("tools", name)
    }

    #[test]
    fn the_controllers_own_writes_are_no_change_and_those_of_others_are() {
        let mut informer = Informer::new();
        let spec = [ServerChange::Spec(key("a"))];
        let shown =
            |generation, phase, version| with_version(server("a", generation, phase), version);
        assert_eq!(informer.take(Event::Apply(shown(1, "Pending", "1"))), spec);
        let written = shown(1, "Ready", "2");
        informer
            .overlay
            .record_write(written.server.clone().unwrap());
        assert_eq!(informer.take(Event::Apply(written)), []);
        let tampered = informer.take(Event::Apply(shown(1, "Failed", "3")));
        assert_eq!(tampered, [ServerChange::Status(key("a"))]);
        assert_eq!(informer.take(Event::Apply(shown(1, "Failed", "4"))), []);
        assert_eq!(informer.take(Event::Apply(shown(2, "Ready", "5"))), spec);
    }

    #[test]
    fn the_registration_is_told_from_what_users_write() {
        let mut informer = Informer::new();
        informer.take(Event::Apply(server("a", 1, "Ready")));
        let mut registered = server("a", 1, "Ready");
        let condition = json!({ "type": LITELLM_REGISTERED, "status": "True", "reason": "Registered", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" });
        let status = registered.server.as_mut().unwrap().status.as_mut().unwrap();
        status.conditions = vec![serde_json::from_value(condition).unwrap()];
        let event = || Event::Apply(registered.clone());
        let change = [ServerChange::Registration(key("a"))];
        assert_eq!(informer.take(event()), change);
        assert_eq!(informer.take(event()), []);
    }

    /// What it left where no owner reference reaches must be deleted.
    #[test]
    fn a_deletion_is_a_change() {
        let mut informer = Informer::new();
        informer.take(Event::Apply(server("a", 1, "Ready")));
        let deleted = informer.take(Event::Delete(server("a", 1, "Ready")));
        assert_eq!(deleted, [ServerChange::Deleted(key("a"))]);
    }

    #[test]
    fn a_new_list_tells_only_what_is_new_and_what_is_gone() {
        let mut informer = Informer::new();
        informer.take(Event::Apply(server("a", 1, "Ready")));
        informer.take(Event::Apply(server("gone", 1, "Ready")));
        informer.take(Event::Init);
        for listed in [server("a", 1, "Ready"), server("b", 1, "Ready")] {
            assert_eq!(informer.take(Event::InitApply(listed)), []);
        }
        let expected = [
            ServerChange::Spec(key("b")),
            ServerChange::Deleted(key("gone")),
        ];
        assert_eq!(informer.take(Event::InitDone), expected);
        assert_eq!(informer.take(Event::Apply(server("b", 1, "Ready"))), []);
    }
}
