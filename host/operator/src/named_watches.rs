//! Watches of single objects by their names, where all of a kind would be too many.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use crate::watch::{reflected, store};

/// Namespace and name of an object.
pub(crate) type Named = (String, String);

/// Watches of the metadata of single objects. They end with this value.
pub(crate) struct NamedWatches {
    client: Client,
    what: &'static str,
    changed: UnboundedSender<Named>,
    watched: BTreeMap<Named, AbortHandle>,
}

impl NamedWatches {
    /// None yet. Whatever happens to an object that is watched is told to `changed`, beginning with how it is found.
    pub(crate) fn new(client: Client, what: &'static str, changed: UnboundedSender<Named>) -> Self {
        Self {
            client,
            what,
            changed,
            watched: BTreeMap::new(),
        }
    }

    /// Watches these objects of the kind `K`, and no others.
    pub(crate) fn keep<K>(&mut self, wanted: &BTreeSet<Named>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Send
            + Sync
            + 'static,
    {
        self.watched.retain(|name, watch| {
            let keep = wanted.contains(name);
            if !keep {
                watch.abort();
            }
            keep
        });
        for name in wanted {
            let (client, changed) = (self.client.clone(), self.changed.clone());
            let what = self.what;
            self.watched.entry(name.clone()).or_insert_with(|| {
                tokio::spawn(watch_one::<K>(client, what, name.clone(), changed)).abort_handle()
            });
        }
    }
}

impl Drop for NamedWatches {
    fn drop(&mut self) {
        self.watched.values().for_each(AbortHandle::abort);
    }
}

async fn watch_one<K>(
    client: Client,
    what: &'static str,
    name: Named,
    changed: UnboundedSender<Named>,
) where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    let api: Api<PartialObjectMeta<K>> = Api::namespaced(client, &name.0);
    let one = watcher::Config::default().fields(&format!("metadata.name={}", name.1));
    let (_, writer) = store::<PartialObjectMeta<K>>(());
    reflected(what, api, one, writer, |_| {})
        .for_each(|event| {
            if matches!(event, Event::Apply(_) | Event::Delete(_) | Event::InitDone) {
                // The receiver is gone only when the program ends.
                let _ = changed.send(name.clone());
            }
            futures::future::ready(())
        })
        .await;
}
