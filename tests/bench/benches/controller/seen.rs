//! Waits for what somebody makes.

use std::collections::HashSet;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};

use tokio::time::timeout;

use crate::batch::Batch;

/// A kind whose objects are in namespaces.
pub(crate) trait Namespaced:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static
{
}

impl<K> Namespaced for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Send
        + Sync
        + 'static
{
}

/// Longest wait for one change of one object.
const PROMPT: Duration = Duration::from_secs(30);

/// Begins to watch, and waits until each server has its object of a kind.
pub(crate) async fn all_seen<K: Namespaced>(
    client: &Client,
    batch: &Batch,
) -> Result<impl Future<Output = Result<()>> + use<K>> {
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

/// How long after `act` an object is another one, or has another specification.
pub(crate) async fn replaced<K: Namespaced>(
    client: &Client,
    namespace: &str,
    name: &str,
    act: impl Future<Output = Result<()>>,
) -> Result<Duration> {
    let api: Api<PartialObjectMeta<K>> = Api::namespaced(client.clone(), namespace);
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = watcher(api, only).boxed();
    let identity = |found: PartialObjectMeta<K>| (found.uid(), found.metadata.generation);
    let mut before = None;
    loop {
        match next(&mut events).await? {
            Event::InitApply(found) => before = Some(identity(found)),
            Event::InitDone => break,
            _ => {}
        }
    }
    act.await?;
    let began = Instant::now();
    let replaced = async {
        loop {
            if let Event::Apply(found) = next(&mut events).await?
                && Some(identity(found)) != before
            {
                return anyhow::Ok(began.elapsed());
            }
        }
    };
    timeout(PROMPT, replaced)
        .await
        .with_context(|| format!("{} {name} stays as it is", K::kind(&())))?
}

async fn next<K>(
    events: &mut (impl Stream<Item = watcher::Result<Event<PartialObjectMeta<K>>>> + Unpin),
) -> Result<Event<PartialObjectMeta<K>>> {
    Ok(events.next().await.context("the watch ended")??)
}
