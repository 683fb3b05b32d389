//! All MCPServers: the one watch that the controller and the registry share.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures::StreamExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt};
use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::find;
use tokio::sync::{Notify, mpsc::UnboundedSender, watch};

use super::memory::Memory;
use super::reference::{Guarded, ServerRef};
use crate::watch as watches;

/// What `kubectl apply` notes: the whole manifest once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// All MCPServers.
#[derive(Clone)]
pub struct Servers {
    store: Store<Guarded>,
    listed: watch::Receiver<bool>,
    changed: Arc<Notify>,
    memory: Memory,
}

impl Servers {
    /// Starts the watch. Each server that changes in a way that matters, or is gone, is sent to `wake`.
    pub(super) fn watch(client: &Client, wake: UnboundedSender<ServerRef>) -> Self {
        let (store, writer) = watches::store(());
        let changed = Arc::new(Notify::new());
        let (tell_listed, listed) = watch::channel(false);
        let events = watches::reflected(
            "MCPServer",
            Api::all(client.clone()),
            watcher::Config::default(),
            writer,
            trim,
        );
        let notify = changed.clone();
        let mut changes = Changes::default();
        let memory = Memory::default();
        let remembered = memory.clone();
        tokio::spawn(events.for_each(move |event| {
            remembered.seen(&event);
            for (server, change) in changes.of(&event) {
                match change {
                    Change::Written => remembered.pending.add(&server),
                    // It has no pass that would take it out again.
                    Change::Gone => remembered.pending.forget(&server),
                    Change::Registered => {}
                }
                // The receiver is gone only when the program ends.
                let _ = wake.send(server);
            }
            if matches!(event, Event::InitDone) {
                tell_listed.send_replace(true);
            }
            if !matches!(event, Event::Init | Event::InitApply(_)) {
                notify.notify_one();
            }
            futures::future::ready(())
        }));
        Self {
            store,
            listed,
            changed,
            memory,
        }
    }

    /// Waits until the watch has shown what was there at the start.
    ///
    /// Not by [`Store::wait_until_ready`]: that wakes only the last of several who wait, and the controller waits
    /// too.
    pub async fn ready(&self) {
        // The sender lives as long as the program.
        let _ = self.listed.clone().wait_for(|listed| *listed).await;
    }

    /// All servers that can be read.
    pub fn all(&self) -> Vec<Arc<Guarded>> {
        self.store.state_filter(|guarded| guarded.0.is_ok())
    }

    /// Namespaces and names of those that cannot be read and are not being deleted.
    pub fn unreadable(&self) -> Vec<(String, String)> {
        let guarded = self.store.state_filter(|guarded| {
            guarded.0.is_err() && guarded.meta().deletion_timestamp.is_none()
        });
        let named = guarded
            .iter()
            .map(|guarded| (guarded.namespace().unwrap_or_default(), guarded.name_any()));
        named.collect()
    }

    /// Waits for a change of any server since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until the controller has had a look at every server that changed, within reason.
    pub async fn acted_on(&self) {
        self.memory.pending.none().await;
    }

    /// A server with the newest status that is known of it.
    pub fn newest<'a>(&self, server: &'a McpServer) -> Cow<'a, McpServer> {
        self.memory.told.newest(server)
    }

    /// Notes what the API server answered to a write of a status.
    pub fn wrote(&self, answer: McpServer) {
        self.memory.told.wrote(answer);
    }

    pub(super) fn store(&self) -> &Store<Guarded> {
        &self.store
    }

    /// What passes leave to later ones.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }
}

/// What nobody reads on MCPServers, and takes most of their memory.
fn trim(server: &mut Guarded) {
    let metadata = server.meta_mut();
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// What happened to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Somebody wrote it, who waits for what comes of that.
    Written,
    /// The registry says something else about it.
    Registered,
    /// It was deleted.
    Gone,
}

/// Tells changes that matter from the controller's own writes of the status.
#[derive(Default)]
struct Changes {
    seen: HashMap<ServerRef, Fingerprint>,
    listed: Vec<(ServerRef, Fingerprint)>,
}

impl Changes {
    fn of(&mut self, event: &Event<Guarded>) -> Vec<(ServerRef, Change)> {
        match event {
            Event::Apply(server) => {
                let (reference, now) = (ObjectRef::from_obj(server), Fingerprint::of(server));
                let before = self.seen.insert(reference.clone(), now);
                now.since(before)
                    .map(|change| (reference, change))
                    .into_iter()
                    .collect()
            }
            Event::Delete(server) => {
                let reference = ObjectRef::from_obj(server);
                self.seen.remove(&reference);
                vec![(reference, Change::Gone)]
            }
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            // The store shows a new list only when it is complete: nobody is woken before that.
            Event::InitApply(server) => {
                self.listed
                    .push((ObjectRef::from_obj(server), Fingerprint::of(server)));
                Vec::new()
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let before = std::mem::replace(&mut self.seen, listed.iter().cloned().collect());
                let gone = before
                    .keys()
                    .filter(|server| !self.seen.contains_key(*server))
                    .map(|server| (server.clone(), Change::Gone));
                let changed = listed.into_iter().filter_map(|(server, now)| {
                    let change = now.since(before.get(&server).copied())?;
                    Some((server, change))
                });
                changed.chain(gone).collect()
            }
        }
    }
}

/// Everything that a pass depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    /// What the user wrote.
    written: u64,
    /// The condition of the other writer.
    registered: u64,
}

impl Fingerprint {
    fn of(server: &Guarded) -> Self {
        let meta = server.meta();
        let written = hash(&(
            &meta.uid,
            meta.generation,
            &meta.labels,
            &meta.annotations,
            meta.deletion_timestamp.is_some(),
        ));
        let status = server.0.as_ref().ok().and_then(|it| it.status.as_ref());
        let conditions = status.map_or(&[][..], |status| &status.conditions);
        let registered = find(conditions, LITELLM_REGISTERED);
        let registered = registered.map(|it| (&it.status, &it.reason, &it.message));
        Self {
            written,
            registered: hash(&registered),
        }
    }

    fn since(self, before: Option<Self>) -> Option<Change> {
        match before {
            Some(before) if before == self => None,
            Some(before) if before.written == self.written => Some(Change::Registered),
            _ => Some(Change::Written),
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(name: &str, generation: i64, phase: &str) -> Guarded {
        serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": name, "namespace": "tools", "uid": name, "generation": generation },
            "spec": { "image": { "repository": "acme/mcp" } },
            "status": { "phase": phase },
        }))
        .unwrap()
    }

    fn reference(name: &str) -> ServerRef {
        ObjectRef::new(name).within("tools")
    }

    #[test]
    fn the_controllers_own_writes_wake_nobody() {
        let mut changes = Changes::default();
        let written = [(reference("a"), Change::Written)];
        let mut of = |generation, phase| changes.of(&Event::Apply(server("a", generation, phase)));
        assert_eq!(of(1, "Pending"), written);
        assert_eq!(of(1, "Ready"), []);
        assert_eq!(of(2, "Ready"), written);
    }

    #[test]
    fn what_the_registry_says_is_not_what_its_user_wrote() {
        let mut changes = Changes::default();
        changes.of(&Event::Apply(server("a", 1, "Ready")));
        let mut registered = server("a", 1, "Ready");
        let condition = json!({ "type": LITELLM_REGISTERED, "status": "True", "reason": "Registered", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" });
        let status = registered.0.as_mut().unwrap().status.as_mut().unwrap();
        status.conditions = vec![serde_json::from_value(condition).unwrap()];
        let event = Event::Apply(registered);
        assert_eq!(changes.of(&event), [(reference("a"), Change::Registered)]);
        assert_eq!(changes.of(&event), []);
    }

    /// What it left where no owner reference reaches must be looked after.
    #[test]
    fn a_server_that_goes_is_told() {
        let mut changes = Changes::default();
        changes.of(&Event::Apply(server("a", 1, "Ready")));
        let gone = changes.of(&Event::Delete(server("a", 1, "Ready")));
        assert_eq!(gone, [(reference("a"), Change::Gone)]);
        assert!(changes.seen.is_empty());
    }

    #[test]
    fn a_new_list_wakes_only_what_is_new_and_what_is_gone() {
        let mut changes = Changes::default();
        changes.of(&Event::Apply(server("a", 1, "Ready")));
        changes.of(&Event::Apply(server("gone", 1, "Ready")));
        changes.of(&Event::Init);
        for event in [server("a", 1, "Ready"), server("b", 1, "Ready")] {
            assert_eq!(changes.of(&Event::InitApply(event)), []);
        }
        let expected = [("b", Change::Written), ("gone", Change::Gone)];
        assert_eq!(
            changes.of(&Event::InitDone),
            expected.map(|(name, change)| (reference(name), change))
        );
        assert_eq!(changes.seen.len(), 2);
    }
}
