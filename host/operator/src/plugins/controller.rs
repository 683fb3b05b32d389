//! Decides when a plugin is tried, and keeps what came of it.
//!
//! One task owns the state. Trying a plugin (reading, compiling, describing) happens in tasks of their own, so that a
//! slow one delays no other; what they find comes back to the one.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::Event;
use mcp_operator_api::v1alpha1::McpPlugin;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::activate::Rejection;
use super::attempt::{Attempt, Workshop};
use super::entry::{Begun, Entry};
use super::publisher::Publisher;
use crate::named_watches::{Named, NamedWatches};
use crate::server::jitter;

/// How often files are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// An MCPPlugin, or why it cannot be read.
pub(super) type Guarded = DeserializeGuard<McpPlugin>;

/// The one task that owns the state.
pub(super) struct Controller {
    plugins: Store<Guarded>,
    workshop: Workshop,
    maps: NamedWatches,
    publisher: Publisher,
    entries: BTreeMap<String, Entry>,
    trying: JoinSet<(String, u64, Attempt)>,
    /// How many attempts there were: each has a number.
    attempts: u64,
    listed: bool,
}

impl Controller {
    pub(super) fn new(
        plugins: Store<Guarded>,
        workshop: Workshop,
        maps: NamedWatches,
        publisher: Publisher,
    ) -> Self {
        Self {
            plugins,
            workshop,
            maps,
            publisher,
            entries: BTreeMap::new(),
            trying: JoinSet::new(),
            attempts: 0,
            listed: false,
        }
    }

    /// Goes on until the task is dropped. `unwritten` names those whose status could not be written.
    pub(super) async fn run(
        mut self,
        events: impl Stream<Item = Event<Guarded>>,
        mut changed_maps: mpsc::UnboundedReceiver<Named>,
        mut unwritten: mpsc::UnboundedReceiver<String>,
    ) {
        let mut events = std::pin::pin!(events);
        let mut clock = tokio::time::interval(LOOK_AGAIN);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let next = self.entries.values().filter_map(Entry::retry_at).min();
            tokio::select! {
                Some(event) = events.next() => self.on_event(&event),
                Some(map) = changed_maps.recv() => self.try_all(|plugin| map_of(plugin).as_ref() == Some(&map)),
                Some(Ok((name, number, result))) = self.trying.join_next() => self.on_attempt(&name, number, result),
                Some(name) = unwritten.recv() => self.forget_told(&name),
                () = Self::next_retry(next) => self.retry(),
                _ = clock.tick() => self.look_again(),
            }
            self.publisher.tell_ready(self.all_tried());
        }
    }

    fn on_event(&mut self, event: &Event<Guarded>) {
        match event {
            Event::Apply(plugin) if self.listed => self.try_one(&plugin.name_any()),
            Event::Delete(plugin) => self.remove(&plugin.name_any()),
            Event::InitDone => {
                self.listed = true;
                let present: BTreeSet<String> = self
                    .plugins
                    .state()
                    .iter()
                    .map(|plugin| plugin.name_any())
                    .collect();
                let gone: Vec<String> = self
                    .entries
                    .keys()
                    .filter(|name| !present.contains(*name))
                    .cloned()
                    .collect();
                for name in gone {
                    self.remove(&name);
                }
                for name in present {
                    self.try_one(&name);
                }
            }
            Event::Apply(_) | Event::Init | Event::InitApply(_) => {}
        }
        self.watch_maps();
    }

    /// Nobody tells when a file changes.
    fn look_again(&mut self) {
        self.try_all(|plugin| plugin.spec.source.file.is_some());
    }

    /// When the next plugin that failed for reasons of ours is due.
    async fn next_retry(next: Option<Instant>) {
        match next {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    fn retry(&mut self) {
        let now = Instant::now();
        let due: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.retry_at().is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.try_one(&name);
        }
    }

    fn try_all(&mut self, wanted: impl Fn(&McpPlugin) -> bool) {
        let plugins = self.plugins.state();
        let wanted = readable(&plugins).filter(|plugin| wanted(plugin));
        for name in wanted.map(ResourceExt::name_any) {
            self.try_one(&name);
        }
    }

    fn plugin(&self, name: &str) -> Option<Arc<Guarded>> {
        self.plugins.find(|plugin| plugin.name_any() == name)
    }

    fn try_one(&mut self, name: &str) {
        let Some(guarded) = self.plugin(name) else {
            return;
        };
        let uid = guarded.uid().unwrap_or_default();
        // What is known of a deleted object of this name says nothing about this one.
        if self
            .entries
            .get(name)
            .is_some_and(|entry| entry.uid() != uid)
        {
            self.remove(name);
        }
        let entry = self
            .entries
            .entry(name.to_owned())
            .or_insert_with(|| Entry::new(uid));
        let plugin = match &guarded.0 {
            Ok(plugin) => plugin.clone(),
            Err(invalid) => {
                warn!(
                    plugin = name,
                    error = invalid.error,
                    "MCPPlugin cannot be read, the last good version stays in force"
                );
                entry.settle();
                return;
            }
        };
        self.attempts += 1;
        let number = self.attempts;
        let Some(begun) = entry.begin(number, Instant::now()) else {
            return;
        };
        let workshop = self.workshop.clone();
        let name = name.to_owned();
        self.trying.spawn(async move {
            let attempt = AssertUnwindSafe(attempt(&workshop, &plugin, begun)).catch_unwind();
            let result = attempt.await.unwrap_or_else(|_| Attempt::Rejected {
                version: None,
                why: Rejection::panicked(),
                last_good: None,
            });
            (name, number, result)
        });
    }

    fn on_attempt(&mut self, name: &str, number: u64, result: Attempt) {
        // Deleted while it was being tried.
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        match &result {
            Attempt::Unchanged => {}
            Attempt::InForce(_, active) => {
                info!(plugin = name, digest = active.digest(), "plugin in force");
            }
            Attempt::Rejected { why, last_good, .. } => warn!(
                plugin = name,
                category = why.category,
                error = why.message,
                last_good = last_good.as_ref().map(|active| active.digest()),
                "plugin refused"
            ),
        }
        // Deleted and made again while it was being tried.
        if !entry.end(number, result, Instant::now(), jitter()) {
            return;
        }
        if entry.take_again() {
            self.try_one(name);
        }
        self.publish();
    }

    fn remove(&mut self, name: &str) {
        if self.entries.remove(name).is_some() {
            info!(plugin = name, "plugin removed");
            self.publish();
        }
    }

    /// Makes known what is in force now.
    fn publish(&mut self) {
        let all_tried = self.all_tried();
        let plugins = self.plugins.state();
        self.publisher
            .publish(&mut self.entries, readable(&plugins), all_tried);
    }

    /// A status was not written and will not be: what is told next is compared with what the cluster has.
    fn forget_told(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.told = None;
        }
    }

    fn all_tried(&self) -> bool {
        self.listed && self.entries.values().all(Entry::is_settled)
    }

    /// Each ConfigMap that is named has a watch of its own: all ConfigMaps of a cluster would be too many.
    fn watch_maps(&mut self) {
        let plugins = self.plugins.state();
        let wanted: BTreeSet<Named> = readable(&plugins).filter_map(map_of).collect();
        self.maps.keep::<ConfigMap>(&wanted);
    }
}

/// Tries a plugin; at the start of the operator, what was in force before is the second choice.
async fn attempt(workshop: &Workshop, plugin: &McpPlugin, begun: Begun) -> Attempt {
    match workshop.attempt(plugin, begun.tried.as_ref()).await {
        Attempt::Rejected { version, why, .. } if begun.nothing_in_force => Attempt::Rejected {
            version,
            why,
            last_good: workshop.last_good(plugin).await,
        },
        result => result,
    }
}

fn readable(plugins: &[Arc<Guarded>]) -> impl Iterator<Item = &McpPlugin> {
    plugins.iter().filter_map(|guarded| guarded.0.as_ref().ok())
}

/// The ConfigMap that its component is in.
fn map_of(plugin: &McpPlugin) -> Option<Named> {
    plugin
        .spec
        .source
        .config_map
        .as_ref()
        .map(|map| (map.namespace.clone(), map.name.clone()))
}
