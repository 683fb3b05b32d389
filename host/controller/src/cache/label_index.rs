//! Index from servers to what belongs to them but is not made by the operator: their pods and Secrets.
//!
//! Only what is asked of an object is kept of it, so that memory does not grow with what is in it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt};
use mcp_operator_api::names::labels;
use mcp_operator_core::pods::{Pod, PodIssue};
use mcp_operator_core::rotation::Fingerprint;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::watch::{state_changes, watch_with_refusals};
use mcp_operator_runtime::{Priority, TaskGroup, WatchEnded, WorkQueue};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::controller::DEBOUNCE;

/// By server, and by name of the object.
type ByServer<F> = HashMap<ServerKey, BTreeMap<String, F>>;

/// A fact about each object of a kind that carries a server's label.
pub(crate) struct LabelIndex<F> {
    facts: Arc<Mutex<ByServer<F>>>,
    kind: &'static str,
    availability: watch::Receiver<Availability>,
}

/// What keeps the pods of servers from serving.
pub(crate) type PodIssues = LabelIndex<PodIssue>;
/// Hashes of the data of Secrets, without the data.
pub(crate) type SecretHashes = LabelIndex<Fingerprint>;

/// Whether the objects of the kind can be known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Availability {
    /// The watch has not listed anything yet.
    Starting,
    /// Reading is refused: the API server's message.
    Refused(String),
    Listed,
}

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
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let facts = Arc::default();
        let (sender, availability) = watch::channel(Availability::Starting);
        let labelled = watcher::Config::default().labels(labels::SERVER);
        let mut events = watch_with_refusals(kind, Api::<K>::all(client.clone()), labelled).boxed();
        let mut indexer = Indexer {
            facts: Arc::clone(&facts),
            listed: HashMap::new(),
            fact,
        };
        tasks.spawn(format!("watch of {kind}"), async move {
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => {
                        let listed = matches!(event, Event::InitDone);
                        let changed = indexer.apply_event(event);
                        if listed {
                            set(&sender, Availability::Listed);
                        }
                        changed.into_iter().for_each(&on_change);
                    }
                    // Servers can do without: their status says less, or their pods are not replaced.
                    Err(refusal) => set(&sender, Availability::Refused(refusal.message)),
                }
            }
        });
        Self {
            facts,
            kind,
            availability,
        }
    }

    /// Waits until the watch has listed what was there at the start, or is refused.
    pub(crate) async fn ready(&self) -> Result<(), WatchEnded> {
        let mut availability = self.availability.clone();
        let known = availability.wait_for(|now| *now != Availability::Starting);
        known.await.map(drop).map_err(|_| WatchEnded(self.kind))
    }

    /// The facts by name of the object. None: nothing can be known now.
    pub(crate) fn of(&self, server: &ServerKey) -> Option<BTreeMap<String, F>> {
        if *self.availability.borrow() != Availability::Listed {
            return None;
        }
        let facts = lock(&self.facts);
        Some(facts.get(server).cloned().unwrap_or_default())
    }

    /// An item whenever the kind becomes readable, or is no longer.
    pub(crate) fn availability_changes(&self) -> BoxStream<'static, ()> {
        state_changes(self.availability.clone())
    }

    /// Why nothing can be known now: the API server's message.
    pub(crate) fn refusal(&self) -> Option<String> {
        match &*self.availability.borrow() {
            Availability::Refused(message) => Some(message.clone()),
            Availability::Starting | Availability::Listed => None,
        }
    }
}

fn set(sender: &watch::Sender<Availability>, availability: Availability) {
    sender.send_if_modified(|known| {
        let changed = *known != availability;
        *known = availability;
        changed
    });
}

fn lock<F>(facts: &Mutex<ByServer<F>>) -> MutexGuard<'_, ByServer<F>> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns events into facts, and says of which servers they have changed.
struct Indexer<K, F> {
    facts: Arc<Mutex<ByServer<F>>>,
    /// Of a list that is not complete yet.
    listed: ByServer<F>,
    fact: fn(K) -> Option<F>,
}

impl<K: Resource<DynamicType = ()>, F: Clone + PartialEq> Indexer<K, F> {
    fn apply_event(&mut self, event: Event<K>) -> Vec<ServerKey> {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Some((server, name)) = identify(&object)
                    && let Some(fact) = (self.fact)(object)
                {
                    self.listed.entry(server).or_default().insert(name, fact);
                }
                Vec::new()
            }
            Event::InitDone => {
                let new = std::mem::take(&mut self.listed);
                let mut facts = lock(&self.facts);
                let old = std::mem::replace(&mut *facts, new);
                let servers = old
                    .keys()
                    .chain(facts.keys().filter(|key| !old.contains_key(*key)));
                servers
                    .filter(|server| old.get(*server) != facts.get(*server))
                    .cloned()
                    .collect()
            }
            Event::Apply(object) => identify(&object).map_or_else(Vec::new, |(server, name)| {
                let fact = (self.fact)(object);
                self.set(server, name, fact)
            }),
            Event::Delete(object) => identify(&object)
                .map_or_else(Vec::new, |(server, name)| self.set(server, name, None)),
        }
    }

    fn set(&self, server: ServerKey, name: String, fact: Option<F>) -> Vec<ServerKey> {
        let mut facts = lock(&self.facts);
        let of_server = facts.entry(server.clone()).or_default();
        let changed = match fact {
            Some(fact) => of_server.insert(name, fact.clone()).as_ref() != Some(&fact),
            None => of_server.remove(&name).is_some(),
        };
        if of_server.is_empty() {
            facts.remove(&server);
        }
        if changed { vec![server] } else { Vec::new() }
    }
}

/// The server that an object belongs to by its label, and its own name.
fn identify(object: &impl Resource<DynamicType = ()>) -> Option<(ServerKey, String)> {
    let server = object.labels().get(labels::SERVER)?;
    Some((
        ServerKey::new(object.namespace()?, server),
        object.name_any(),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(name: &str, value: &str) -> Secret {
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "tools", "labels": { labels::SERVER: "github" } },
            "data": { "token": value },
        }))
        .unwrap()
    }

    fn indexer() -> Indexer<Secret, Fingerprint> {
        Indexer {
            facts: Arc::default(),
            listed: HashMap::new(),
            fact: |secret| Some(data_hash(&secret)),
        }
    }

    #[test]
    fn only_a_change_of_the_data_is_a_change() {
        let mut indexer = indexer();
        let github = [ServerKey::new("tools", "github")];
        assert_eq!(
            indexer.apply_event(Event::Apply(secret("a", "AAAA"))),
            github
        );
        let mut labelled = secret("a", "AAAA");
        labelled.metadata.annotations = Some([("x".to_owned(), "y".to_owned())].into());
        assert_eq!(indexer.apply_event(Event::Apply(labelled)), []);
        assert_eq!(
            indexer.apply_event(Event::Apply(secret("a", "BBBB"))),
            github
        );
        assert_eq!(
            indexer.apply_event(Event::Delete(secret("a", "BBBB"))),
            github
        );
        assert!(lock(&indexer.facts).is_empty(), "nothing is left behind");
    }

    #[test]
    fn a_new_list_tells_only_those_whose_facts_changed() {
        let mut indexer = indexer();
        indexer.apply_event(Event::Apply(secret("a", "AAAA")));
        let relist = |indexer: &mut Indexer<Secret, Fingerprint>, secrets: Vec<Secret>| {
            indexer.apply_event(Event::Init);
            for secret in secrets {
                indexer.apply_event(Event::InitApply(secret));
            }
            indexer.apply_event(Event::InitDone).len()
        };
        assert_eq!(relist(&mut indexer, vec![secret("a", "AAAA")]), 0);
        assert_eq!(relist(&mut indexer, vec![secret("a", "BBBB")]), 1);
        assert_eq!(relist(&mut indexer, vec![]), 1);
    }
}
