//! From events about objects to facts about servers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::labels;
use mcp_operator_core::server_key::ServerKey;

use super::watches::Place;

/// By server, and by name of the object.
pub(super) type ByServer<F> = HashMap<ServerKey, BTreeMap<String, F>>;

pub(super) fn lock<F>(facts: &Mutex<ByServer<F>>) -> MutexGuard<'_, ByServer<F>> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns events into facts, and says of which servers they have changed.
pub(super) struct Indexer<K, F> {
    facts: Arc<Mutex<ByServer<F>>>,
    /// Of lists that are not complete yet.
    listed: HashMap<Place, ByServer<F>>,
    fact: fn(K) -> Option<F>,
}

impl<K: Resource<DynamicType = ()>, F: Clone + PartialEq> Indexer<K, F> {
    /// `fact` is what is kept of an object.
    pub(super) fn new(facts: Arc<Mutex<ByServer<F>>>, fact: fn(K) -> Option<F>) -> Self {
        Self {
            facts,
            listed: HashMap::new(),
            fact,
        }
    }

    /// Takes over an event of a watch of this place, and gives the servers of which a fact has changed.
    pub(super) fn apply_event(
        &mut self,
        place: Option<&String>,
        event: Event<K>,
    ) -> Vec<ServerKey> {
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
    use k8s_openapi::api::core::v1::Secret;
    use mcp_operator_core::rotation::Fingerprint;
    use serde_json::json;

    use super::super::data_hash;
    use super::*;

    fn secret(name: &str, value: &str) -> Secret {
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "tools", "labels": { labels::SERVER: "github" } },
            "data": { "token": value },
        }))
        .unwrap()
    }

    fn indexer() -> Indexer<Secret, Fingerprint> {
        Indexer::new(Arc::default(), |secret| Some(data_hash(&secret)))
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
