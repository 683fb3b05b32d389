//! Decides when a plugin is loaded, and keeps what came of it.
//!
//! One task owns the state. Loading (reading, compiling, describing) happens in tasks of their own, so that a slow plugin
//! delays no other; their results come back to the one.

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
use mcp_operator_policy::{LoadOutcome, PluginLoader, Rejection};
use mcp_operator_runtime::named_watches::Named;
use mcp_operator_runtime::{NamedWatches, WorkQueue, jitter};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{info, warn};

use crate::plugin_state::{Attempt, PluginState};
use crate::publisher::Publisher;

/// How often the files of `spec.source.file` are read: nothing reports that one has changed.
const FILE_POLL: Duration = Duration::from_secs(5);

/// An MCPPlugin, or why it cannot be read.
pub(crate) type GuardedPlugin = DeserializeGuard<McpPlugin>;

/// The one task that owns the state.
pub(crate) struct Controller {
    plugins: Store<GuardedPlugin>,
    loader: PluginLoader,
    maps: NamedWatches,
    publisher: Publisher,
    states: BTreeMap<String, PluginState>,
    /// Name of the plugin, number of the attempt, and what it led to.
    loading: JoinSet<(String, u64, LoadOutcome)>,
    last_attempt: u64,
    listed: bool,
}

impl Controller {
    pub(crate) fn new(
        plugins: Store<GuardedPlugin>,
        loader: PluginLoader,
        maps: NamedWatches,
        publisher: Publisher,
    ) -> Self {
        Self {
            plugins,
            loader,
            maps,
            publisher,
            states: BTreeMap::new(),
            loading: JoinSet::new(),
            last_attempt: 0,
            listed: false,
        }
    }

    /// Never ends. `not_written` has the names of plugins whose status could not be written, and will not be.
    pub(crate) async fn run(
        mut self,
        events: impl Stream<Item = Event<GuardedPlugin>>,
        changed_maps: WorkQueue<Named>,
        not_written: WorkQueue<String>,
    ) {
        let mut events = std::pin::pin!(events);
        let mut file_poll = interval(FILE_POLL);
        file_poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next_retry = self.states.values().filter_map(PluginState::retry_at).min();
            tokio::select! {
                Some(event) = events.next() => self.on_event(&event),
                map = changed_maps.next() => self.load_where(|plugin| config_map(plugin).as_ref() == Some(&map)),
                Some(Ok((name, attempt, outcome))) = self.loading.join_next() => self.on_loaded(&name, attempt, outcome),
                name = not_written.next() => self.on_status_not_written(&name),
                () = until(next_retry) => self.load_due(),
                _ = file_poll.tick() => self.load_where(|plugin| plugin.spec.source.file.is_some()),
            }
            self.publisher.publish_synced(self.all_synced());
        }
    }

    fn on_event(&mut self, event: &Event<GuardedPlugin>) {
        match event {
            Event::Apply(plugin) if self.listed => self.load(&plugin.name_any()),
            Event::Delete(plugin) => self.remove(&plugin.name_any()),
            Event::InitDone => self.on_listed(),
            Event::Apply(_) | Event::Init | Event::InitApply(_) => {}
        }
        self.watch_maps();
    }

    fn on_listed(&mut self) {
        self.listed = true;
        let plugins = self.plugins.state();
        let present: BTreeSet<String> = plugins.iter().map(|plugin| plugin.name_any()).collect();
        let deleted: Vec<String> = self
            .states
            .keys()
            .filter(|name| !present.contains(*name))
            .cloned()
            .collect();
        for name in deleted {
            self.remove(&name);
        }
        for name in present {
            self.load(&name);
        }
    }

    fn load_due(&mut self) {
        let now = Instant::now();
        let due: Vec<String> = self
            .states
            .iter()
            .filter(|(_, state)| state.retry_at().is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.load(&name);
        }
    }

    fn load_where(&mut self, wanted: impl Fn(&McpPlugin) -> bool) {
        let plugins = self.plugins.state();
        let wanted = readable(&plugins).filter(|plugin| wanted(plugin));
        for name in wanted.map(ResourceExt::name_any) {
            self.load(&name);
        }
    }

    fn load(&mut self, name: &str) {
        let Some(guarded) = self.plugins.find(|plugin| plugin.name_any() == name) else {
            return;
        };
        let uid = guarded.uid().unwrap_or_default();
        // What is known of a deleted object of this name says nothing about this one.
        if self
            .states
            .get(name)
            .is_some_and(|state| state.uid() != uid)
        {
            self.remove(name);
        }
        let state = self
            .states
            .entry(name.to_owned())
            .or_insert_with(|| PluginState::new(uid));
        let plugin = match &guarded.0 {
            Ok(plugin) => plugin.clone(),
            Err(invalid) => {
                warn!(
                    plugin = name,
                    error = invalid.error,
                    "MCPPlugin cannot be read, the last good version stays in force"
                );
                state.keep();
                return;
            }
        };
        self.last_attempt += 1;
        let number = self.last_attempt;
        let Some(attempt) = state.begin_attempt(number, Instant::now()) else {
            return;
        };
        let loader = self.loader.clone();
        let name = name.to_owned();
        self.loading.spawn(async move {
            let loading = AssertUnwindSafe(load(&loader, &plugin, attempt)).catch_unwind();
            let outcome = loading.await.unwrap_or_else(|_| LoadOutcome::Rejected {
                version: None,
                why: Rejection::panicked(),
                last_good: None,
            });
            (name, number, outcome)
        });
    }

    fn on_loaded(&mut self, name: &str, attempt: u64, outcome: LoadOutcome) {
        // Deleted while it was being loaded.
        let Some(state) = self.states.get_mut(name) else {
            return;
        };
        match &outcome {
            LoadOutcome::Unchanged => {}
            LoadOutcome::InForce(_, active) => {
                info!(plugin = name, digest = active.digest(), "plugin in force");
            }
            LoadOutcome::Rejected { why, last_good, .. } => warn!(
                plugin = name,
                category = why.category,
                error = why.message,
                last_good = last_good.as_ref().map(|active| active.digest()),
                "plugin refused"
            ),
        }
        // Deleted and made again while it was being loaded.
        if !state.finish_attempt(attempt, outcome, Instant::now(), jitter()) {
            return;
        }
        if state.take_requeue() {
            self.load(name);
        }
        self.publish();
    }

    fn remove(&mut self, name: &str) {
        if self.states.remove(name).is_some() {
            info!(plugin = name, "plugin removed");
            self.publish();
        }
    }

    fn publish(&mut self) {
        let all_synced = self.all_synced();
        let plugins = self.plugins.state();
        self.publisher
            .publish(&mut self.states, readable(&plugins), all_synced);
    }

    /// From now on a new status is compared with the one that the cluster has.
    fn on_status_not_written(&mut self, name: &str) {
        if let Some(state) = self.states.get_mut(name) {
            state.last_published = None;
        }
    }

    fn all_synced(&self) -> bool {
        self.listed && self.states.values().all(PluginState::is_synced)
    }

    /// Each ConfigMap that is named has a watch of its own: all ConfigMaps of a cluster would be too many.
    fn watch_maps(&mut self) {
        let plugins = self.plugins.state();
        let wanted: BTreeSet<Named> = readable(&plugins).filter_map(config_map).collect();
        self.maps.keep::<ConfigMap>(&wanted);
    }
}

/// Loads a plugin; at the start of the operator, the component that was in force before is the second choice.
async fn load(loader: &PluginLoader, plugin: &McpPlugin, attempt: Attempt) -> LoadOutcome {
    match loader.load(plugin, attempt.loaded.as_ref()).await {
        LoadOutcome::Rejected { version, why, .. } if attempt.nothing_in_force => {
            LoadOutcome::Rejected {
                version,
                why,
                last_good: loader.last_good(plugin).await,
            }
        }
        outcome => outcome,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn readable(plugins: &[Arc<GuardedPlugin>]) -> impl Iterator<Item = &McpPlugin> {
    plugins.iter().filter_map(|guarded| guarded.0.as_ref().ok())
}

/// Namespace and name of the ConfigMap that its component is in.
fn config_map(plugin: &McpPlugin) -> Option<Named> {
    plugin
        .spec
        .source
        .config_map
        .as_ref()
        .map(|map| (map.namespace.clone(), map.name.clone()))
}
