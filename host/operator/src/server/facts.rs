//! Small facts about what belongs to a server but is not made by the operator: its pods and Secrets.
//!
//! Only what is asked of an object is kept, so that memory does not grow with what is in it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt};
use mcp_operator_api::names::labels;
use mcp_operator_core::pods::{Pod, Trouble};
use mcp_operator_core::rotation::Fingerprint;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use super::reference::ServerRef;
use crate::watch as watches;

type OfServers<F> = HashMap<ServerRef, BTreeMap<String, F>>;

/// A fact about each object of a kind that carries a server's label.
pub(super) struct Facts<F> {
    facts: Arc<Mutex<OfServers<F>>>,
    state: watch::Receiver<State>,
}

/// What is known of the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The watch has not shown anything yet.
    Starting,
    /// Reading is refused, in the words of the API server.
    Refused(String),
    /// All of them.
    Listed,
}

/// What keeps pods from serving.
pub(super) fn troubles(client: &Client, wake: mpsc::UnboundedSender<ServerRef>) -> Facts<Trouble> {
    Facts::watch::<Pod>("Pod", client, |pod| Trouble::of(&pod), wake)
}

/// What the data of Secrets is, without the data: those of others are neither read nor kept.
pub(super) fn secrets(
    client: &Client,
    wake: mpsc::UnboundedSender<ServerRef>,
) -> Facts<Fingerprint> {
    Facts::watch::<Secret>("Secret", client, |secret| Some(fingerprint(&secret)), wake)
}

fn fingerprint(secret: &Secret) -> Fingerprint {
    let mut hasher = Sha256::new();
    for (key, value) in secret.data.iter().flatten() {
        for part in [key.as_bytes(), &value.0] {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().into()
}

impl<F: Clone + PartialEq + Send + 'static> Facts<F> {
    fn watch<K>(
        what: &'static str,
        client: &Client,
        of: fn(K) -> Option<F>,
        wake: mpsc::UnboundedSender<ServerRef>,
    ) -> Self
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let facts = Arc::default();
        let (tell, state) = watch::channel(State::Starting);
        let only = watcher::Config::default().labels(labels::SERVER);
        let mut events = watches::told(what, Api::<K>::all(client.clone()), only).boxed();
        let mut taker = Taker {
            facts: Arc::clone(&facts),
            listed: HashMap::new(),
            of,
        };
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => {
                        let listed = matches!(event, Event::InitDone);
                        let changed = taker.take(event);
                        if listed {
                            turn(&tell, State::Listed);
                        }
                        for server in changed {
                            // The receiver is gone only when the program ends.
                            let _ = wake.send(server);
                        }
                    }
                    // Servers can do without: their status says less, or their pods are not replaced.
                    Err(refusal) => turn(&tell, State::Refused(refusal.message)),
                }
            }
        });
        Self { facts, state }
    }

    /// Waits until the watch has shown what was there at the start, or is forbidden to.
    pub(super) async fn ready(&self) {
        let mut state = self.state.clone();
        // The sender lives as long as the program.
        let _ = state.wait_for(|state| *state != State::Starting).await;
    }

    /// By name of the object. None: nothing can be known now.
    pub(super) fn of(&self, server: &ServerRef) -> Option<BTreeMap<String, F>> {
        if *self.state.borrow() != State::Listed {
            return None;
        }
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        Some(facts.get(server).cloned().unwrap_or_default())
    }

    /// Something whenever more or less can be known than before.
    pub(super) fn states_change(&self) -> BoxStream<'static, ()> {
        watches::changes(self.state.clone())
    }

    /// Why nothing can be known now, in the words of the API server.
    pub(super) fn refusal(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Refused(message) => Some(message.clone()),
            State::Starting | State::Listed => None,
        }
    }
}

fn turn(tell: &watch::Sender<State>, state: State) {
    tell.send_if_modified(|known| {
        let changed = *known != state;
        *known = state;
        changed
    });
}

/// Turns events into facts, and says whose changed.
struct Taker<K, F> {
    facts: Arc<Mutex<OfServers<F>>>,
    listed: OfServers<F>,
    of: fn(K) -> Option<F>,
}

impl<K: Resource<DynamicType = ()>, F: Clone + PartialEq> Taker<K, F> {
    fn take(&mut self, event: Event<K>) -> Vec<ServerRef> {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Some((server, name)) = identify(&object)
                    && let Some(fact) = (self.of)(object)
                {
                    self.listed.entry(server).or_default().insert(name, fact);
                }
                Vec::new()
            }
            Event::InitDone => {
                let new = std::mem::take(&mut self.listed);
                let old = std::mem::replace(&mut *self.lock(), new);
                let facts = self.lock();
                let servers = old
                    .keys()
                    .chain(facts.keys().filter(|key| !old.contains_key(*key)));
                servers
                    .filter(|server| old.get(*server) != facts.get(*server))
                    .cloned()
                    .collect()
            }
            Event::Apply(object) => identify(&object).map_or_else(Vec::new, |(server, name)| {
                let fact = (self.of)(object);
                self.set(server, name, fact)
            }),
            Event::Delete(object) => identify(&object)
                .map_or_else(Vec::new, |(server, name)| self.set(server, name, None)),
        }
    }

    fn set(&self, server: ServerRef, name: String, fact: Option<F>) -> Vec<ServerRef> {
        let mut facts = self.lock();
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

    fn lock(&self) -> std::sync::MutexGuard<'_, OfServers<F>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server that an object says it belongs to, and its own name.
fn identify(object: &impl Resource<DynamicType = ()>) -> Option<(ServerRef, String)> {
    let server = object.labels().get(labels::SERVER)?;
    let reference = ObjectRef::new(server).within(&object.namespace()?);
    Some((reference, object.name_any()))
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

    fn taker() -> Taker<Secret, Fingerprint> {
        Taker {
            facts: Arc::default(),
            listed: HashMap::new(),
            of: |secret| Some(fingerprint(&secret)),
        }
    }

    #[test]
    fn only_a_change_of_the_data_wakes_a_server() {
        let mut taker = taker();
        let github = [ObjectRef::new("github").within("tools")];
        assert_eq!(taker.take(Event::Apply(secret("a", "AAAA"))), github);
        let mut labelled = secret("a", "AAAA");
        labelled.metadata.annotations = Some([("x".to_owned(), "y".to_owned())].into());
        assert_eq!(taker.take(Event::Apply(labelled)), []);
        assert_eq!(taker.take(Event::Apply(secret("a", "BBBB"))), github);
        assert_eq!(taker.take(Event::Delete(secret("a", "BBBB"))), github);
        assert!(taker.lock().is_empty(), "nothing is left behind");
    }

    #[test]
    fn a_new_list_wakes_only_those_whose_facts_changed() {
        let mut taker = taker();
        taker.take(Event::Apply(secret("a", "AAAA")));
        let relist = |taker: &mut Taker<Secret, Fingerprint>, secrets: Vec<Secret>| {
            taker.take(Event::Init);
            for secret in secrets {
                taker.take(Event::InitApply(secret));
            }
            taker.take(Event::InitDone).len()
        };
        assert_eq!(relist(&mut taker, vec![secret("a", "AAAA")]), 0);
        assert_eq!(relist(&mut taker, vec![secret("a", "BBBB")]), 1);
        assert_eq!(relist(&mut taker, vec![]), 1);
    }
}
