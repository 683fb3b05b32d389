//! Watches MCPPlugins, tries each of them, and publishes what is in force.
//!
//! One task owns the state. Trying a plugin (reading, compiling, describing) happens in tasks of their own, so that a
//! slow one delays no other; what they find comes back to the one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::PLUGIN_KIND;
use mcp_operator_api::v1alpha1::{McpPlugin, McpPluginStatus};
use mcp_plugin_host::Host;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::activate::{ActivePlugin, Attempt, Rejection, Version, attempt};
use super::snapshot::{Snapshot, Snapshots};
use super::source::ConfigMaps;
use super::status;
use super::write_status::{Told, write_statuses};
use crate::named_watches::{Named, NamedWatches};
use crate::watch::{reflected, store};

/// How often files are looked at, and what failed for reasons of ours is tried again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Where plugins come from.
#[derive(Clone, Debug)]
pub struct CatalogueOptions {
    /// Folder with the components that `spec.source.builtin` names.
    pub builtin: PathBuf,
}

/// Watches MCPPlugins and keeps the snapshot in step.
pub struct Catalogue {
    client: Client,
    host: Host,
    options: CatalogueOptions,
    publish: watch::Sender<Arc<Snapshot>>,
    ready: watch::Sender<bool>,
}

type Guarded = DeserializeGuard<McpPlugin>;

impl Catalogue {
    /// A catalogue, the snapshots that it will publish, and whether all plugins that were there at the start were tried.
    pub fn new(
        client: Client,
        host: Host,
        options: CatalogueOptions,
    ) -> (Self, Snapshots, watch::Receiver<bool>) {
        let (publish, snapshots) = Snapshots::channel();
        let (ready, is_ready) = watch::channel(false);
        (
            Self {
                client,
                host,
                options,
                publish,
                ready,
            },
            snapshots,
            is_ready,
        )
    }

    /// Watches until the task is dropped.
    pub async fn run(self) {
        let (plugins, writer) = store::<Guarded>(());
        let events = reflected(
            PLUGIN_KIND,
            Api::all(self.client.clone()),
            watcher::Config::default(),
            writer,
            |_| {},
        );
        let (maps, changed_maps) = mpsc::unbounded_channel();
        let maps = NamedWatches::new(self.client.clone(), "ConfigMap of a plugin", maps);
        let (statuses, told) = mpsc::unbounded_channel();
        tokio::spawn(write_statuses(self.client.clone(), told));
        Keeper {
            catalogue: self,
            plugins,
            entries: BTreeMap::new(),
            maps,
            statuses,
            trying: JoinSet::new(),
            listed: false,
        }
        .run(events, changed_maps)
        .await;
    }
}

/// The one task that owns the state.
struct Keeper {
    catalogue: Catalogue,
    plugins: Store<Guarded>,
    entries: BTreeMap<String, Entry>,
    maps: NamedWatches,
    statuses: mpsc::UnboundedSender<Told>,
    trying: JoinSet<(String, Attempt)>,
    listed: bool,
}

/// What is known of one MCPPlugin.
#[derive(Default)]
struct Entry {
    tried: Option<Version>,
    active: Option<Arc<ActivePlugin>>,
    rejection: Option<Rejection>,
    trying: bool,
    /// Something changed while it was being tried.
    again: bool,
    /// It was tried at least once.
    settled: bool,
    /// The status that was written last: the watch may not have shown it yet.
    told: Option<McpPluginStatus>,
}

impl Keeper {
    async fn run(
        mut self,
        events: impl Stream<Item = Event<Guarded>>,
        mut changed_maps: mpsc::UnboundedReceiver<Named>,
    ) {
        let mut events = std::pin::pin!(events);
        let mut clock = tokio::time::interval(LOOK_AGAIN);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(event) = events.next() => self.on_event(&event),
                Some(map) = changed_maps.recv() => self.try_all(|plugin| map_of(plugin).as_ref() == Some(&map)),
                Some(finished) = self.trying.join_next() => match finished {
                    Ok((name, result)) => self.on_attempt(&name, result),
                    Err(error) => warn!(%error, "trying a plugin panicked"),
                },
                _ = clock.tick() => self.look_again(),
            }
            self.tell_ready();
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

    fn look_again(&mut self) {
        let retry: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.rejection.as_ref().is_some_and(|why| why.retry))
            .map(|(name, _)| name.clone())
            .collect();
        self.try_all(|plugin| {
            plugin.spec.source.file.is_some() || retry.contains(&plugin.name_any())
        });
    }

    fn try_all(&mut self, wanted: impl Fn(&McpPlugin) -> bool) {
        let plugins = self.plugins.state();
        let names = plugins
            .iter()
            .filter_map(|guarded| guarded.0.as_ref().ok())
            .filter(|plugin| wanted(plugin));
        for name in names.map(ResourceExt::name_any) {
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
        let entry = self.entries.entry(name.to_owned()).or_default();
        let plugin = match &guarded.0 {
            Ok(plugin) => plugin.clone(),
            Err(invalid) => {
                warn!(
                    plugin = name,
                    error = invalid.error,
                    "MCPPlugin cannot be read, the last good version stays in force"
                );
                entry.settled = true;
                return;
            }
        };
        if entry.trying {
            entry.again = true;
            return;
        }
        entry.trying = true;
        let (maps, host, builtin) = (
            ConfigMaps::Cluster(self.catalogue.client.clone()),
            self.catalogue.host.clone(),
            self.catalogue.options.builtin.clone(),
        );
        let (name, tried) = (name.to_owned(), entry.tried.clone());
        self.trying.spawn(async move {
            let result = attempt(&maps, &host, &builtin, &plugin, tried.as_ref()).await;
            (name, result)
        });
    }

    fn on_attempt(&mut self, name: &str, result: Attempt) {
        // Deleted while it was being tried.
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        entry.trying = false;
        entry.settled = true;
        if let Attempt::Tried(version, result) = result {
            entry.tried = version;
            match result {
                Ok(active) => {
                    info!(plugin = name, digest = active.digest(), "plugin in force");
                    entry.active = Some(Arc::from(active));
                    entry.rejection = None;
                }
                Err(rejection) => {
                    warn!(
                        plugin = name,
                        category = rejection.category,
                        error = rejection.message,
                        "plugin refused"
                    );
                    entry.rejection = Some(rejection);
                }
            }
        }
        if std::mem::take(&mut entry.again) {
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

    /// Makes what is in force known, and writes what changed into the statuses.
    fn publish(&mut self) {
        let all_tried = self.all_tried();
        let snapshot = Snapshot::new(
            self.entries
                .values()
                .filter_map(|entry| entry.active.clone())
                .collect(),
        );
        let registrar = snapshot.registrar().map(|plugin| plugin.name().to_owned());
        self.catalogue.publish.send_if_modified(|current| {
            let differs = current.fingerprint() != snapshot.fingerprint();
            *current = Arc::new(snapshot);
            differs
        });
        for guarded in self.plugins.state() {
            let Ok(plugin) = &guarded.0 else { continue };
            let Some(entry) = self.entries.get_mut(&plugin.name_any()) else {
                continue;
            };
            // At the start, what an earlier run wrote is truer than that some are still being loaded.
            if !all_tried && plugin.status.is_some() {
                continue;
            }
            let new = status::status(
                plugin,
                entry.active.as_deref(),
                entry.rejection.as_ref(),
                registrar.as_deref(),
                Timestamp::now(),
            );
            if status::differs(&new, entry.told.as_ref().or(plugin.status.as_ref())) {
                entry.told = Some(new.clone());
                // The receiver is gone only when the program ends.
                let _ = self.statuses.send((plugin.name_any(), new));
            }
        }
    }

    fn all_tried(&self) -> bool {
        self.listed && self.entries.values().all(|entry| entry.settled)
    }

    fn tell_ready(&self) {
        let all = self.all_tried();
        self.catalogue
            .ready
            .send_if_modified(|ready| all && !std::mem::replace(ready, true));
    }

    /// Each ConfigMap that is named has a watch of its own: all ConfigMaps of a cluster would be too many.
    fn watch_maps(&mut self) {
        let plugins = self.plugins.state();
        let wanted: BTreeSet<Named> = plugins
            .iter()
            .filter_map(|guarded| map_of(guarded.0.as_ref().ok()?))
            .collect();
        self.maps.keep::<ConfigMap>(&wanted);
    }
}

fn map_of(plugin: &McpPlugin) -> Option<Named> {
    plugin
        .spec
        .source
        .config_map
        .as_ref()
        .map(|map| (map.namespace.clone(), map.name.clone()))
}
