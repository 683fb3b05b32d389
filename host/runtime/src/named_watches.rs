//! Watches of single objects by their names, where all of a kind would be too many.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use tokio::task::AbortHandle;

use crate::supervisor::TaskGroup;
use crate::watch::events;
use crate::work_queue::WorkQueue;

/// Namespace and name of an object.
pub type Named = (String, String);

/// Watches of the metadata of single objects. They end with this value.
pub struct NamedWatches {
    client: Client,
    tasks: TaskGroup,
    what: &'static str,
    changed: WorkQueue<Named>,
    watched: BTreeMap<Named, AbortHandle>,
}

impl NamedWatches {
    /// No watches yet. Each object that is watched is added to `changed` once its watch has begun, and whenever it changes.
    /// `what` names the objects in the log: `Secret of a connection`.
    pub fn new(
        client: Client,
        tasks: TaskGroup,
        what: &'static str,
        changed: WorkQueue<Named>,
    ) -> Self {
        Self {
            client,
            tasks,
            what,
            changed,
            watched: BTreeMap::new(),
        }
    }

    /// Watches these objects of the kind `K`, and no others.
    pub fn keep<K>(&mut self, wanted: &BTreeSet<Named>)
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
                self.tasks.spawn(
                    format!("watch of {what} {}/{}", name.0, name.1),
                    watch_one::<K>(client, what, name.clone(), changed),
                )
            });
        }
    }
}

impl Drop for NamedWatches {
    fn drop(&mut self) {
        self.watched.values().for_each(AbortHandle::abort);
    }
}

async fn watch_one<K>(client: Client, what: &'static str, name: Named, changed: WorkQueue<Named>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    let api: Api<PartialObjectMeta<K>> = Api::namespaced(client, &name.0);
    let one = watcher::Config::default().fields(&format!("metadata.name={}", name.1));
    events(what, api, one, |_| {})
        .for_each(|event| {
            if matches!(event, Event::Apply(_) | Event::Delete(_) | Event::InitDone) {
                changed.add(name.clone());
            }
            futures::future::ready(())
        })
        .await;
}
