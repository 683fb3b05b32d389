//! Watches that outlive every error, each with a pause of its own.
//!
//! kube's `Controller` has one pause for all of its watches: while one fails, no trigger at all is
//! polled. So every watch here is a task of its own and its errors end in the log.

use std::fmt::Debug;
use std::hash::Hash;

use futures::{Stream, StreamExt};
use kube::core::Status;
use kube::runtime::reflector::{Lookup, Store, store::Writer};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

/// Watches, keeps the store, and passes on every event. Never fails and never ends.
pub(crate) fn reflected<K>(
    what: &'static str,
    api: Api<K>,
    config: watcher::Config,
    mut writer: Writer<K>,
    modify: fn(&mut K),
) -> impl Stream<Item = Event<K>> + Send
where
    K: Resource + Lookup + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    <K as Lookup>::DynamicType: Eq + Hash + Clone + Send + Sync,
{
    watch(api, config)
        .default_backoff()
        .modify(modify)
        .filter_map(move |event| {
            let event = match event {
                Ok(event) => Some(event),
                Err(error) => {
                    warn!(watch = what, %error, "watch failed, trying again");
                    None
                }
            };
            futures::future::ready(event)
        })
        .inspect(move |event| writer.apply_watcher_event(event))
}

/// A store and its writer, for a kind known only at run time or at compile time.
pub(crate) fn store<K>(kind: <K as Lookup>::DynamicType) -> (Store<K>, Writer<K>)
where
    K: Lookup + Clone + 'static,
    <K as Lookup>::DynamicType: Eq + Hash + Clone,
{
    let writer = Writer::new(kind);
    (writer.as_reader(), writer)
}

/// What the API server answered, if it refused a watch.
pub(crate) fn refusal(error: &watcher::Error) -> Option<&Status> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return None;
    };
    Some(status)
}
