//! Index from servers to what belongs to them but is not made by the operator: their pods and Secrets.
//!
//! Only what is asked of an object is kept of it, so that memory does not grow with what is in it.
//!
//! One watch for all namespaces, as long as the operator may read them all. Where a platform lets it into some namespaces
//! only, there is one watch for each namespace with a server.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use kube::core::Status;
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
use tokio::sync::{mpsc, watch};

use crate::controller::DEBOUNCE;

/// By server, and by name of the object.
type ByServer<F> = HashMap<ServerKey, BTreeMap<String, F>>;

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

/// Whether the objects of the kind can be known, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Availability {
    everywhere: Readable,
    /// Those with a watch of their own. None while all can be read at once.
    namespaces: BTreeMap<String, Readable>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Readable {
    /// The watch has not listed anything yet.
    #[default]
    Starting,
    /// Reading is refused: the API server's message.
    Refused(String),
    Listed,
}

impl Availability {
    /// What is known about a namespace; nothing if it would have to be asked for.
    fn of(&self, namespace: &str) -> Option<&Readable> {
        match &self.everywhere {
            Readable::Refused(_) => self.namespaces.get(namespace),
            everywhere => Some(everywhere),
        }
    }
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
        let watches = Watches {
            kind,
            client: client.clone(),
            everywhere: labelled(kind, Api::all(client.clone())),
            namespaces: SelectAll::new(),
            wanted,
            availability: sender,
        };
        let indexer = Indexer {
            facts: Arc::clone(&facts),
            listed: HashMap::new(),
            fact,
        };
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

fn lock<F>(facts: &Mutex<ByServer<F>>) -> MutexGuard<'_, ByServer<F>> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a watch looks: a namespace, or all of them.
type Place = Option<String>;

type EventOrRefusal<K> = Result<Event<K>, Status>;
type Events<K> = BoxStream<'static, EventOrRefusal<K>>;

/// The objects that carry the label of a server.
fn labelled<K>(kind: &'static str, api: Api<K>) -> Events<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let labelled = watcher::Config::default().labels(labels::SERVER);
    watch_with_refusals(kind, api, labelled).boxed()
}

/// The watch of all namespaces, and those of single ones while that one is refused.
struct Watches<K> {
    kind: &'static str,
    client: Client,
    everywhere: Events<K>,
    namespaces: SelectAll<BoxStream<'static, (String, EventOrRefusal<K>)>>,
    wanted: mpsc::UnboundedReceiver<String>,
    availability: watch::Sender<Availability>,
}

impl<K> Watches<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    async fn run<F: Clone + PartialEq>(
        mut self,
        mut indexer: Indexer<K, F>,
        on_change: impl Fn(ServerKey),
    ) {
        loop {
            let (place, event) = tokio::select! {
                event = self.everywhere.next() => match event {
                    Some(event) => (None, event),
                    None => return,
                },
                Some((namespace, event)) = self.namespaces.next() => (Some(namespace), event),
                Some(namespace) = self.wanted.recv() => {
                    self.begin(namespace);
                    continue;
                }
            };
            match event {
                Ok(event) => {
                    let is_list = matches!(event, Event::InitDone);
                    let changed = indexer.apply_event(place.as_ref(), event);
                    if is_list {
                        self.set(place, Readable::Listed);
                    }
                    changed.into_iter().for_each(&on_change);
                }
                // Servers can do without: their status says less, or their pods are not replaced.
                Err(refusal) => self.set(place, Readable::Refused(refusal.message)),
            }
        }
    }

    /// Begins the watch of one namespace, where that is needed and not done yet.
    fn begin(&mut self, namespace: String) {
        if self.availability.borrow().of(&namespace).is_some() {
            return;
        }
        // Nobody has to look again before it has listed something.
        self.availability.send_if_modified(|known| {
            known
                .namespaces
                .insert(namespace.clone(), Readable::Starting);
            false
        });
        let api = Api::namespaced(self.client.clone(), &namespace);
        let events = labelled(self.kind, api).map(move |event| (namespace.clone(), event));
        self.namespaces.push(events.boxed());
    }

    fn set(&mut self, place: Place, readable: Readable) {
        let everywhere = place.is_none() && readable == Readable::Listed;
        if everywhere {
            self.namespaces = SelectAll::new();
        }
        self.availability.send_if_modified(|known| {
            let before = known.clone();
            if everywhere {
                known.namespaces.clear();
            }
            match place {
                Some(namespace) => _ = known.namespaces.insert(namespace, readable),
                None => known.everywhere = readable,
            }
            *known != before
        });
    }
}

/// Turns events into facts, and says of which servers they have changed.
struct Indexer<K, F> {
    facts: Arc<Mutex<ByServer<F>>>,
    /// Of lists that are not complete yet.
    listed: HashMap<Place, ByServer<F>>,
    fact: fn(K) -> Option<F>,
}

impl<K: Resource<DynamicType = ()>, F: Clone + PartialEq> Indexer<K, F> {
    fn apply_event(&mut self, place: Option<&String>, event: Event<K>) -> Vec<ServerKey> {
        match event {
            Event::Init => {
                self.listed.insert(place.cloned(), ByServer::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Some((server, name)) = identify(&object)
                    && let Some(fact) = (self.fact)(object)
                {
                    let listed = self.listed.entry(place.cloned()).or_default();
                    listed.entry(server).or_default().insert(name, fact);
                }
                Vec::new()
            }
            Event::InitDone => {
                let new = self.listed.remove(&place.cloned()).unwrap_or_default();
                self.replace(place, new)
            }
            Event::Apply(object) => identify(&object).map_or_else(Vec::new, |(server, name)| {
                let fact = (self.fact)(object);
                self.set(server, name, fact)
            }),
            Event::Delete(object) => identify(&object)
                .map_or_else(Vec::new, |(server, name)| self.set(server, name, None)),
        }
    }

    /// A list takes the place of what was known of where it was made.
    fn replace(&self, place: Option<&String>, new: ByServer<F>) -> Vec<ServerKey> {
        let is_there =
            |server: &ServerKey| place.is_none_or(|namespace| server.namespace == *namespace);
        let mut facts = lock(&self.facts);
        let (old, others): (ByServer<F>, ByServer<F>) = std::mem::take(&mut *facts)
            .into_iter()
            .partition(|(server, _)| is_there(server));
        let servers = old
            .keys()
            .chain(new.keys().filter(|key| !old.contains_key(*key)));
        let changed = servers
            .filter(|server| old.get(*server) != new.get(*server))
            .cloned()
            .collect();
        *facts = others;
        facts.extend(new);
        changed
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
            indexer.apply_event(None, Event::Apply(secret("a", "AAAA"))),
            github
        );
        let mut labelled = secret("a", "AAAA");
        labelled.metadata.annotations = Some([("x".to_owned(), "y".to_owned())].into());
        assert_eq!(indexer.apply_event(None, Event::Apply(labelled)), []);
        assert_eq!(
            indexer.apply_event(None, Event::Apply(secret("a", "BBBB"))),
            github
        );
        assert_eq!(
            indexer.apply_event(None, Event::Delete(secret("a", "BBBB"))),
            github
        );
        assert!(lock(&indexer.facts).is_empty(), "nothing is left behind");
    }

    #[test]
    fn a_new_list_tells_only_those_whose_facts_changed() {
        let mut indexer = indexer();
        indexer.apply_event(None, Event::Apply(secret("a", "AAAA")));
        let relist = |indexer: &mut Indexer<Secret, Fingerprint>, secrets: Vec<Secret>| {
            indexer.apply_event(None, Event::Init);
            for secret in secrets {
                indexer.apply_event(None, Event::InitApply(secret));
            }
            indexer.apply_event(None, Event::InitDone).len()
        };
        assert_eq!(relist(&mut indexer, vec![secret("a", "AAAA")]), 0);
        assert_eq!(relist(&mut indexer, vec![secret("a", "BBBB")]), 1);
        assert_eq!(relist(&mut indexer, vec![]), 1);
    }

    #[test]
    fn a_list_of_one_namespace_says_nothing_about_others() {
        let mut indexer = indexer();
        indexer.apply_event(None, Event::Apply(secret("a", "AAAA")));
        let other = "other".to_owned();
        indexer.apply_event(Some(&other), Event::Init);
        let mut theirs = secret("b", "BBBB");
        theirs.metadata.namespace = Some(other.clone());
        indexer.apply_event(Some(&other), Event::InitApply(theirs));
        let changed = indexer.apply_event(Some(&other), Event::InitDone);
        assert_eq!(changed, [ServerKey::new("other", "github")]);
        assert_eq!(lock(&indexer.facts).len(), 2);
        indexer.apply_event(Some(&other), Event::Init);
        let changed = indexer.apply_event(Some(&other), Event::InitDone);
        assert_eq!(changed, [ServerKey::new("other", "github")]);
        let tools = ServerKey::new("tools", "github");
        assert!(lock(&indexer.facts).keys().eq([&tools]));
    }
}
