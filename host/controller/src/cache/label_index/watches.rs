//! One watch for all namespaces, as long as the operator may read them all. Where a platform lets it into some namespaces
//! only, there is one watch for each namespace with a server.

use std::collections::BTreeMap;
use std::fmt::Debug;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use k8s_openapi::NamespaceResourceScope;
use kube::core::Status;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use mcp_operator_api::names::labels;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::watch::watch_with_refusals;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

use super::indexer::Indexer;

/// Whether the objects of the kind can be known, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Availability {
    pub(super) everywhere: Readable,
    /// Those with a watch of their own. None while all can be read at once.
    namespaces: BTreeMap<String, Readable>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Readable {
    /// The watch has not listed anything yet.
    #[default]
    Starting,
    /// Reading is refused: the API server's message.
    Refused(String),
    Listed,
}

impl Availability {
    /// What is known about a namespace; nothing if it would have to be asked for.
    pub(super) fn of(&self, namespace: &str) -> Option<&Readable> {
        match &self.everywhere {
            Readable::Refused(_) => self.namespaces.get(namespace),
            everywhere => Some(everywhere),
        }
    }
}

/// Where a watch looks: a namespace, or all of them.
pub(super) type Place = Option<String>;

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
pub(super) struct Watches<K> {
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
    pub(super) fn new(
        kind: &'static str,
        client: &Client,
        wanted: mpsc::UnboundedReceiver<String>,
        availability: watch::Sender<Availability>,
    ) -> Self {
        Self {
            kind,
            client: client.clone(),
            everywhere: labelled(kind, Api::all(client.clone())),
            namespaces: SelectAll::new(),
            wanted,
            availability,
        }
    }

    /// Runs until the watch of all namespaces ends. `on_change` gets each server of which a fact has changed.
    pub(super) async fn run<F: Clone + PartialEq>(
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
