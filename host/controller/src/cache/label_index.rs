//! Index from servers to what belongs to them but is not made by the operator: their pods and Secrets.
//!
//! Only what is asked of an object is kept of it, so that memory does not grow with what is in it.

mod indexer;
mod watches;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use futures::stream::BoxStream;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use kube::{Client, Resource};
use mcp_operator_core::pods::{Pod, PodIssue};
use mcp_operator_core::rotation::Fingerprint;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::watch::state_changes;
use mcp_operator_runtime::{Priority, TaskGroup, WatchEnded, WorkQueue};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use self::indexer::{ByServer, Indexer, lock};
use self::watches::{Availability, Readable, Watches};
use crate::controller::DEBOUNCE;

/// A fact about each object of a kind that carries a server's label.
pub(crate) struct LabelIndex<F> {
    facts: Arc<Mutex<ByServer<F>>>,
    kind: &'static str,
    availability: watch::Receiver<Availability>,
    /// Namespaces that need a watch of their own.
    unwatched: mpsc::UnboundedSender<String>,
}

/// What keeps the pods of servers from serving.
pub(crate) type PodIssues = LabelIndex<PodIssue>;
/// Hashes of the data of Secrets, without the data.
pub(crate) type SecretHashes = LabelIndex<Fingerprint>;

impl PodIssues {
    /// Starts the watch.
    pub(crate) fn watch(client: &Client, tasks: &TaskGroup, queue: &WorkQueue<ServerKey>) -> Self {
        let queue = queue.clone();
        Self::start::<Pod>(
            "Pod",
            client,
            tasks,
            |pod| PodIssue::of(&pod),
            move |server| {
                queue.add_after(server, DEBOUNCE, Priority::Normal);
            },
        )
    }
}

impl SecretHashes {
    /// Starts the watch. Secrets without our label are neither read nor kept.
    pub(crate) fn watch(client: &Client, tasks: &TaskGroup, queue: &WorkQueue<ServerKey>) -> Self {
        let queue = queue.clone();
        let hash = |secret: Secret| Some(data_hash(&secret));
        let on_change = move |server| queue.add(server);
        Self::start("Secret", client, tasks, hash, on_change)
    }
}

fn data_hash(secret: &Secret) -> Fingerprint {
    let mut hasher = Sha256::new();
    for (key, value) in secret.data.iter().flatten() {
        for part in [key.as_bytes(), &value.0] {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().into()
}

impl<F: Clone + PartialEq + Send + 'static> LabelIndex<F> {
    /// `fact` is what is kept of an object; `on_change` gets each server of which a fact has changed.
    fn start<K>(
        kind: &'static str,
        client: &Client,
        tasks: &TaskGroup,
        fact: fn(K) -> Option<F>,
        on_change: impl Fn(ServerKey) + Send + 'static,
    ) -> Self
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let facts = Arc::default();
        let (sender, availability) = watch::channel(Availability::default());
        let (unwatched, wanted) = mpsc::unbounded_channel();
        let watches = Watches::new(kind, client, wanted, sender);
        let indexer = Indexer::new(Arc::clone(&facts), fact);
        tasks.spawn(format!("watch of {kind}"), watches.run(indexer, on_change));
        Self {
            facts,
            kind,
            availability,
            unwatched,
        }
    }

    /// Waits until the watch of all namespaces has listed what was there at the start, or is refused.
    pub(crate) async fn ready(&self) -> Result<(), WatchEnded> {
        let mut availability = self.availability.clone();
        let known = availability.wait_for(|now| now.everywhere != Readable::Starting);
        known.await.map(drop).map_err(|_| WatchEnded(self.kind))
    }

    /// The facts by name of the object. None: nothing can be known now. A namespace that has to be asked for is asked for.
    pub(crate) fn of(&self, server: &ServerKey) -> Option<BTreeMap<String, F>> {
        match self.availability.borrow().of(&server.namespace) {
            Some(Readable::Listed) => {}
            Some(Readable::Starting | Readable::Refused(_)) => return None,
            None => {
                // The watch has ended with the process, or will take it.
                let _ = self.unwatched.send(server.namespace.clone());
                return None;
            }
        }
        let facts = lock(&self.facts);
        Some(facts.get(server).cloned().unwrap_or_default())
    }

    /// An item whenever the kind becomes readable somewhere, or is no longer.
    pub(crate) fn availability_changes(&self) -> BoxStream<'static, ()> {
        state_changes(self.availability.clone())
    }

    /// Why nothing can be known now in a namespace: the API server's message.
    pub(crate) fn refusal(&self, namespace: &str) -> Option<String> {
        match self.availability.borrow().of(namespace) {
            Some(Readable::Refused(message)) => Some(message.clone()),
            Some(Readable::Starting | Readable::Listed) | None => None,
        }
    }
}
