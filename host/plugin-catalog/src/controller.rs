//! Decides when a plugin is loaded, and keeps what came of it.
//!
//! One task owns the state. Loading (reading, compiling, describing) happens in tasks of their own, so that a slow plugin
//! delays no other; their results come back to the one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::Event;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_policy::{LoadOutcome, may_move};
use mcp_operator_runtime::named_watches::Named;
use mcp_operator_runtime::{WorkQueue, jitter};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until};
use tracing::{info, warn};

use crate::agreement::Agreement;
use crate::component_store::KeptComponent;
use crate::fallback_loader::{FallbackLoader, Loaded};
use crate::pending::Pending;
use crate::plugin_state::PluginState;
use crate::publisher::Publisher;
use crate::references::{ChangedReferences, ReferenceWatches, References, config_maps, secrets};

/// How often the files of `spec.source.file` are read: nothing reports that one has changed.
const FILE_POLL: Duration = Duration::from_secs(5);
/// Longest time for which the end of an exception is waited for without a look at the clock.
const CLOCK_CHECK: Duration = Duration::from_hours(1);
/// How long the start waits for plugins that only the operator's fault keeps out; longer than compiling one may take. After
/// that it is ready, and refuses what depends on those that are missing: one plugin must not take the others' requests along.
const STARTUP_LIMIT: Duration = Duration::from_secs(90);

/// An MCPPlugin, or why it cannot be read.
pub(crate) type GuardedPlugin = DeserializeGuard<McpPlugin>;

/// The one task that owns the state.
pub(crate) struct Controller {
    plugins: Store<GuardedPlugin>,
    loader: FallbackLoader,
    references: ReferenceWatches,
    /// How often registries and servers are asked whether a tag or a URL has become something else.
    refresh: Duration,
    publisher: Publisher,
    states: BTreeMap<String, PluginState>,
    /// Name of the plugin, number of the attempt, and what it led to.
    loading: JoinSet<(String, u64, Loaded)>,
    last_attempt: u64,
    listed: bool,
    /// When plugins that are still missing are waited for no longer.
    startup_deadline: Option<Instant>,
    /// All plugins were tried once, or waited for.
    synced: bool,
    to_keep: Pending<KeptComponent>,
}

impl Controller {
    pub(crate) fn new(
        plugins: Store<GuardedPlugin>,
        loader: FallbackLoader,
        references: ReferenceWatches,
        refresh: Duration,
        publisher: Publisher,
        to_keep: Pending<KeptComponent>,
    ) -> Self {
        Self {
            plugins,
            loader,
            references,
            refresh,
            publisher,
            states: BTreeMap::new(),
            loading: JoinSet::new(),
            last_attempt: 0,
            listed: false,
            startup_deadline: None,
            synced: false,
            to_keep,
        }
    }

    /// Never ends. `not_written` has the names of plugins whose status could not be written, and will not be.
    pub(crate) async fn run(
        mut self,
        events: impl Stream<Item = Event<GuardedPlugin>>,
        changed: ChangedReferences,
        not_written: WorkQueue<String>,
    ) {
        let mut events = std::pin::pin!(events);
        let mut file_poll = interval(FILE_POLL);
        file_poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refresh = interval_at(Instant::now() + self.refresh, self.refresh);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next_retry = self.states.values().filter_map(PluginState::retry_at).min();
            let startup_deadline = self.startup_deadline.filter(|_| !self.synced);
            let end_of_exception = self.next_end_of_exception();
            tokio::select! {
                Some(event) = events.next() => self.on_event(&event),
                map = changed.maps.next() => self.on_reference(&map, config_maps),
                secret = changed.secrets.next() => self.on_reference(&secret, secrets),
                Some(Ok((name, attempt, loaded))) = self.loading.join_next() => self.on_loaded(&name, attempt, loaded),
                name = not_written.next() => self.on_status_not_written(&name),
                () = self.publisher.leader_changed() => self.on_leader_changed(),
                () = until(next_retry) => self.load_due(),
                () = until(startup_deadline) => {}
                () = until(end_of_exception) => self.publish(),
                _ = file_poll.tick() => self.on_tick(),
                _ = refresh.tick() => self.load_where(|plugin| may_move(&plugin.spec)),
            }
            if !self.synced && self.all_synced() {
                self.synced = true;
                self.publish();
            }
            self.publisher.publish_synced(self.synced);
        }
    }

    fn on_event(&mut self, event: &Event<GuardedPlugin>) {
        match event {
            Event::Apply(plugin) if self.listed => self.load(&plugin.name_any()),
            Event::Delete(plugin) => self.remove(&plugin.name_any()),
            Event::InitDone => self.on_listed(),
            Event::Apply(_) | Event::Init | Event::InitApply(_) => {}
        }
        let plugins = self.plugins.state();
        self.references.keep(readable(&plugins));
        // A plugin is in force from when it is there, and not only when it is loaded.
        self.settle();
        self.publisher
            .publish_snapshot(&self.states, &plugins, self.synced);
    }

    fn on_tick(&mut self) {
        self.load_where(|plugin| plugin.spec.source.file.is_some());
        self.publisher.forget_replaced();
    }

    /// Puts into force what is loaded and agreed on.
    fn settle(&mut self) {
        let leads = self.publisher.leads();
        for plugin in readable(&self.plugins.state()) {
            let name = plugin.name_any();
            let Some(state) = self.states.get_mut(&name) else {
                continue;
            };
            let is_same = plugin.uid().unwrap_or_default() == state.uid();
            if is_same && state.settle(Agreement::of(plugin).as_ref(), leads) {
                let digest = state.active.as_ref().map(|active| active.digest());
                info!(plugin = name, digest, "plugin in force");
            }
        }
    }

    fn on_listed(&mut self) {
        self.listed = true;
        self.startup_deadline
            .get_or_insert(Instant::now() + STARTUP_LIMIT);
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
                self.publish();
                return;
            }
        };
        self.last_attempt += 1;
        let number = self.last_attempt;
        state.of_source(&plugin.spec.source);
        let agreement = Agreement::of(&plugin).filter(|_| !self.publisher.leads());
        let begun = state.begin_attempt(number, agreement.as_ref(), Instant::now());
        let Some(attempt) = begun else {
            return;
        };
        let (loader, name) = (self.loader.clone(), name.to_owned());
        self.loading.spawn(async move {
            let loaded = loader.load(&plugin, attempt).await;
            (name, number, loaded)
        });
    }

    fn on_loaded(&mut self, name: &str, attempt: u64, loaded: Loaded) {
        let Loaded {
            mut outcome,
            search,
            between,
        } = loaded;
        self.publisher.remember(between);
        // Deleted while it was being loaded.
        let Some(state) = self.states.get_mut(name) else {
            return;
        };
        let mut to_keep = None;
        match &mut outcome {
            LoadOutcome::Unchanged => {}
            LoadOutcome::InForce {
                active, component, ..
            } => {
                info!(plugin = name, digest = active.digest(), "plugin loaded");
                to_keep = Some(KeptComponent {
                    plugin: name.to_owned(),
                    uid: state.uid().to_owned(),
                    component: std::mem::take(component),
                    provenance: active.provenance().clone(),
                });
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
        let now = Instant::now();
        if !state.finish_attempt(attempt, outcome, now, jitter()) {
            return;
        }
        state.finish_search(search, now, jitter());
        if let Some(kept) = to_keep {
            self.to_keep.replace(name.to_owned(), kept);
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
        self.settle();
        let plugins = self.plugins.state();
        self.publisher
            .publish(&mut self.states, &plugins, self.synced);
    }

    /// Statuses are compared with those that the cluster has.
    fn on_leader_changed(&mut self) {
        for state in self.states.values_mut() {
            state.last_published = None;
        }
        self.publish();
    }

    /// From now on a new status is compared with the one that the cluster has.
    fn on_status_not_written(&mut self, name: &str) {
        if let Some(state) = self.states.get_mut(name) {
            state.last_published = None;
        }
    }

    /// When an exception from a rule ends: all servers are judged again then. A wall clock that steps is noticed after an hour.
    fn next_end_of_exception(&self) -> Option<Instant> {
        let now = Timestamp::now();
        let in_force = self.states.values().filter_map(|it| it.active.as_ref());
        let ends = in_force.filter_map(|plugin| plugin.exceptions().next_end(now));
        let pause = ends.min()?.duration_since(now).unsigned_abs();
        Some(Instant::now() + pause.min(CLOCK_CHECK))
    }

    fn all_synced(&self) -> bool {
        let waited = self
            .startup_deadline
            .is_some_and(|deadline| deadline <= Instant::now());
        self.listed && (waited || self.states.values().all(PluginState::is_synced))
    }

    fn on_reference(&mut self, changed: &Named, references: References) {
        let namespace = self.references.namespace.clone();
        self.load_where(|plugin| references(plugin, &namespace).contains(changed));
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
