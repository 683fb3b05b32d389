//! All MCPServers: the one watch that the controller and the registry share.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures::StreamExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::find;
use tokio::sync::{Notify, mpsc::UnboundedSender, watch};

use crate::watch as watches;

/// What `kubectl apply` notes: the whole manifest once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An MCPServer as it comes from the API server: one that cannot be read must not hide the others.
pub type Guarded = DeserializeGuard<McpServer>;
/// Reference to an MCPServer.
pub type ServerRef = ObjectRef<Guarded>;

/// All MCPServers.
#[derive(Clone)]
pub struct Servers {
    store: Store<Guarded>,
    listed: watch::Receiver<bool>,
    changed: Arc<Notify>,
}

impl Servers {
    /// Starts the watch. Each server that changes in a way that matters is sent to `wake`.
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
        tokio::spawn(events.for_each(move |event| {
            for server in changes.of(&event) {
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

    /// Waits for a change of any server since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn store(&self) -> &Store<Guarded> {
        &self.store
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

/// Tells changes that matter from the controller's own writes of the status.
#[derive(Default)]
struct Changes {
    seen: HashMap<ServerRef, u64>,
    listed: Vec<(ServerRef, u64)>,
}

impl Changes {
    fn of(&mut self, event: &Event<Guarded>) -> Vec<ServerRef> {
        match event {
            Event::Apply(server) => {
                let (reference, now) = (ObjectRef::from_obj(server), fingerprint(server));
                let before = self.seen.insert(reference.clone(), now);
                if before == Some(now) {
                    Vec::new()
                } else {
                    vec![reference]
                }
            }
            Event::Delete(server) => {
                self.seen.remove(&ObjectRef::from_obj(server));
                Vec::new()
            }
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            // The store shows a new list only when it is complete: nobody is woken before that.
            Event::InitApply(server) => {
                self.listed
                    .push((ObjectRef::from_obj(server), fingerprint(server)));
                Vec::new()
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let before = std::mem::replace(&mut self.seen, listed.iter().cloned().collect());
                let is_new =
                    |(reference, now): &(ServerRef, u64)| before.get(reference) != Some(now);
                listed
                    .into_iter()
                    .filter(is_new)
                    .map(|(reference, _)| reference)
                    .collect()
            }
        }
    }
}

/// Everything that a pass depends on: what the user wrote, and the condition of the other writer.
fn fingerprint(server: &Guarded) -> u64 {
    let mut hasher = DefaultHasher::new();
    let meta = server.meta();
    (
        &meta.uid,
        meta.generation,
        &meta.labels,
        &meta.annotations,
        meta.deletion_timestamp.is_some(),
    )
        .hash(&mut hasher);
    if let Ok(server) = &server.0 {
        let conditions = server
            .status
            .as_ref()
            .map_or(&[][..], |status| &status.conditions);
        let registered = find(conditions, LITELLM_REGISTERED);
        registered
            .map(|condition| (&condition.status, &condition.reason, &condition.message))
            .hash(&mut hasher);
    }
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

    #[test]
    fn the_controllers_own_writes_wake_nobody() {
        let mut changes = Changes::default();
        assert_eq!(
            changes.of(&Event::Apply(server("a", 1, "Pending"))).len(),
            1
        );
        assert_eq!(changes.of(&Event::Apply(server("a", 1, "Ready"))).len(), 0);
        assert_eq!(changes.of(&Event::Apply(server("a", 2, "Ready"))).len(), 1);
    }

    #[test]
    fn a_new_list_wakes_only_what_is_new() {
        let mut changes = Changes::default();
        changes.of(&Event::Apply(server("a", 1, "Ready")));
        changes.of(&Event::Apply(server("gone", 1, "Ready")));
        changes.of(&Event::Init);
        for event in [server("a", 1, "Ready"), server("b", 1, "Ready")] {
            assert_eq!(changes.of(&Event::InitApply(event)).len(), 0);
        }
        assert_eq!(
            changes.of(&Event::InitDone),
            [ObjectRef::new("b").within("tools")]
        );
        assert_eq!(changes.seen.len(), 2);
    }
}
