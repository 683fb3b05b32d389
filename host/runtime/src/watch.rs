//! Watches that outlive every error, each with a backoff of its own.
//!
//! kube's `Controller` has one backoff for all of its watches: while one fails, no trigger at all is polled. So every watch
//! here is a task of its own, and its errors end in the log.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::Status;
use kube::runtime::reflector::{Lookup, Store, store::Writer};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch as watch_channel;
use tokio::time::sleep;
use tracing::{debug, warn};

/// Pause before a watch that was refused is begun anew: a permission or an API does not come within seconds.
const AFTER_REFUSAL: Duration = Duration::from_secs(10);

/// Objects of a list that are in memory at once, before what nobody reads is taken from them. kube's own 500 take as much
/// memory as everything that is kept of 1,000 MCPServers, and the allocator does not give all of it back. Anybody can make
/// objects with our labels, of 1 MiB each, and as trees they take several times as much.
const PAGE: u32 = 20;

/// Between two attempts of a watch that fails, at most: what changed meanwhile waits for it once the API server is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What `kubectl apply` notes: the whole manifest once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Removes what nothing reads, and what takes most of the memory of many objects.
pub fn trim_metadata(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// kube's backoff for watches, which starts anew only when a watch has got somewhere.
///
/// By itself it starts anew at every event, and each attempt to list begins with one ([`Event::Init`]): while lists fail, all
/// watches would list again about every second.
struct WatchBackoff {
    backoff: DefaultBackoff,
    /// Whether a list was complete, or something was watched, since it started anew.
    progress: Arc<AtomicBool>,
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.backoff.next().map(|pause| pause.min(LONGEST_PAUSE))
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        if self.progress.swap(false, Ordering::Relaxed) {
            self.backoff.reset();
        }
    }
}

/// The watch, with longer and longer pauses after errors.
pub fn with_backoff<K: Send>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send {
    let progress = Arc::<AtomicBool>::default();
    let backoff = WatchBackoff {
        backoff: DefaultBackoff::default(),
        progress: Arc::clone(&progress),
    };
    events
        .inspect_ok(move |event| {
            if !matches!(event, Event::Init | Event::InitApply(_)) {
                progress.store(true, Ordering::Relaxed);
            }
        })
        .backoff(backoff)
}

/// A watch that passes on every event. Errors are logged and the watch is begun anew, so that the stream never fails and
/// never ends. `modify` takes from each object what nothing reads.
pub fn events<K>(
    what: &'static str,
    api: Api<K>,
    config: watcher::Config,
    modify: fn(&mut K),
) -> impl Stream<Item = Event<K>> + Send
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    with_backoff(watch(api, config.page_size(PAGE)))
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
}

/// The same, and keeps a store in step with the watch.
pub fn reflector<K>(
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
    events(what, api, config, modify).inspect(move |event| writer.apply_watcher_event(event))
}

/// A watch whose stream also says when the API server refuses it (403, 404). Errors are logged, a refusal when it is news.
/// Never ends.
///
/// After a refusal a new watcher begins with a list: the old one would go on where it was without any event, and
/// nobody would know that it may watch again.
pub fn watch_with_refusals<K>(
    what: &'static str,
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = Result<Event<K>, Status>> + Send
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let config = config.page_size(PAGE);
    let begin = move || with_backoff(watch(api.clone(), config.clone())).boxed();
    let first = (Some(begin()), begin, None);
    stream::unfold(first, move |(going, begin, mut last_refusal)| async move {
        let mut events: BoxStream<'static, _> = if let Some(events) = going {
            events
        } else {
            sleep(AFTER_REFUSAL).await;
            begin()
        };
        loop {
            match events.next().await? {
                Ok(event) => {
                    if matches!(event, Event::InitDone) {
                        last_refusal = None;
                    }
                    return Some((Ok(event), (Some(events), begin, last_refusal)));
                }
                Err(error) => {
                    let refusal = refusal(&error).filter(|it| [403, 404].contains(&it.code));
                    let Some(status) = refusal.cloned() else {
                        warn!(watch = what, %error, "watch failed, trying again");
                        continue;
                    };
                    // Who was not let into all namespaces would say so every ten seconds.
                    if last_refusal.as_ref() == Some(&status.message) {
                        debug!(watch = what, %error, "watch refused again");
                    } else {
                        warn!(watch = what, %error, "watch refused, trying again");
                    }
                    last_refusal = Some(status.message.clone());
                    return Some((Err(status), (None, begin, last_refusal)));
                }
            }
        }
    })
}

/// An item whenever a state changes from what it is now.
pub fn state_changes<T: Send + Sync + 'static>(
    mut states: watch_channel::Receiver<T>,
) -> BoxStream<'static, ()> {
    states.mark_unchanged();
    stream::unfold(states, |mut states| async {
        states.changed().await.ok()?;
        Some(((), states))
    })
    .boxed()
}

/// A store and its writer.
pub fn store<K>(kind: <K as Lookup>::DynamicType) -> (Store<K>, Writer<K>)
where
    K: Lookup + Clone + 'static,
    <K as Lookup>::DynamicType: Eq + Hash + Clone,
{
    let writer = Writer::new(kind);
    (writer.as_reader(), writer)
}

/// The status with which the API server refused a watch.
pub fn refusal(error: &watcher::Error) -> Option<&Status> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return None;
    };
    Some(status)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use tokio::time::Instant;

    use super::*;

    const FAILED: Option<Event<ConfigMap>> = None;

    /// The seconds after each error until the next attempt begins.
    async fn pauses(script: Vec<Option<Event<ConfigMap>>>) -> Vec<f64> {
        let script = script
            .into_iter()
            .map(|event| event.ok_or(watcher::Error::NoResourceVersion));
        let mut events = Box::pin(with_backoff(stream::iter(script)));
        let (mut pauses, mut failed) = (Vec::new(), None);
        while let Some(event) = events.next().await {
            if let Some(at) = failed.take() {
                pauses.push(Instant::elapsed(&at).as_secs_f64());
            }
            failed = event.is_err().then(Instant::now);
        }
        pauses
    }

    #[tokio::test(start_paused = true)]
    async fn lists_that_fail_are_tried_less_and_less_often() {
        let script = (0..12).flat_map(|_| {
            let page = Event::InitApply(ConfigMap::default());
            [Some(Event::Init), Some(page), FAILED]
        });
        let pauses = pauses(script.collect()).await;
        assert!(pauses[0] < 2.0, "{pauses:?}");
        let last = pauses.last().unwrap();
        assert!((9.0..=10.1).contains(last), "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_got_somewhere_begins_with_short_pauses_again() {
        let failures = (0..8).flat_map(|_| [Some(Event::Init), FAILED]);
        for progress in [Event::InitDone, Event::Apply(ConfigMap::default())] {
            let mut script: Vec<_> = failures.clone().collect();
            script.extend([Some(progress), FAILED, Some(Event::Init)]);
            let pauses = pauses(script).await;
            assert!(pauses[7] > 9.0 && pauses[8] < 2.0, "{pauses:?}");
        }
    }
}
