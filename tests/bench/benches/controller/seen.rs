//! Waits for what somebody makes.

use std::collections::HashSet;
use std::fmt::Debug;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};

use crate::batch::Batch;

/// Begins to watch, and waits until each server has its object of a kind.
pub(crate) async fn all_seen<K>(
    client: &Client,
    batch: &Batch,
) -> Result<impl Future<Output = Result<()>> + use<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    let mut all = Vec::new();
    for (namespace, count) in batch.counts() {
        let api: Api<PartialObjectMeta<K>> = Api::namespaced(client.clone(), namespace);
        let mut events = watcher(api, watcher::Config::default()).boxed();
        while !matches!(next(&mut events).await?, Event::InitDone) {}
        all.push(async move {
            let mut seen = HashSet::new();
            while seen.len() < count {
                if let Event::Apply(object) | Event::InitApply(object) = next(&mut events).await? {
                    seen.insert(object.name_any());
                }
            }
            anyhow::Ok(())
        });
    }
    Ok(async { try_join_all(all).await.map(drop) })
}

async fn next<K>(
    events: &mut (impl Stream<Item = watcher::Result<Event<PartialObjectMeta<K>>>> + Unpin),
) -> Result<Event<PartialObjectMeta<K>>> {
    Ok(events.next().await.context("the watch ended")??)
}
