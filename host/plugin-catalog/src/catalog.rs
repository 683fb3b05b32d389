//! What others see of the catalog, and the tasks behind it.

use std::time::Duration;

use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use mcp_operator_api::names::PLUGIN_KIND;
use mcp_operator_policy::{PluginLoader, Snapshots};
use mcp_operator_runtime::named_watches::Named;
use mcp_operator_runtime::watch::{reflector, store, trim_metadata};
use mcp_operator_runtime::{Leadership, NamedWatches, TaskGroup, WatchEnded, WorkQueue};
use tokio::sync::watch;

use crate::component_keeper::keep_components;
use crate::component_store::ComponentStore;
use crate::controller::{Controller, GuardedPlugin};
use crate::fallback_loader::FallbackLoader;
use crate::pending::Pending;
use crate::publisher::Publisher;
use crate::references::{ChangedReferences, ReferenceWatches};
use crate::status_writer::{PendingStatuses, write_statuses};

/// The plugins of a cluster. Cheap to clone.
#[derive(Clone)]
pub struct PluginCatalog {
    snapshots: Snapshots,
    synced: watch::Receiver<bool>,
}

impl PluginCatalog {
    /// Starts to watch MCPPlugins, and to load them. Copies of what is in force are kept in `namespace`, the operator's own;
    /// they and statuses are written by `writer`, while `leadership` is held. Every `refresh`, registries and servers are asked
    /// whether a tag or a URL has become something else.
    pub fn watch(
        client: &Client,
        writer: &Client,
        leadership: &Leadership,
        tasks: &TaskGroup,
        loader: PluginLoader,
        namespace: &str,
        refresh: Duration,
    ) -> Self {
        let (snapshot_sender, snapshots) = Snapshots::channel();
        let (synced_sender, synced) = watch::channel(false);
        let (plugins, shown) = store::<GuardedPlugin>(());
        let events = reflector(
            PLUGIN_KIND,
            Api::all(client.clone()),
            watcher::Config::default(),
            shown,
            |plugin| trim_metadata(plugin.meta_mut()),
        );
        let statuses = PendingStatuses::default();
        let not_written = WorkQueue::default();
        tasks.spawn(
            "status writer of MCPPlugins",
            write_statuses(
                writer.clone(),
                statuses.clone(),
                not_written.clone(),
                leadership.clone(),
            ),
        );
        let changed = ChangedReferences {
            maps: WorkQueue::default(),
            secrets: WorkQueue::default(),
        };
        let watches = |what, changed: &WorkQueue<Named>| {
            NamedWatches::new(client.clone(), tasks.clone(), what, changed.clone())
        };
        let references = ReferenceWatches {
            maps: watches("ConfigMap of a plugin", &changed.maps),
            secrets: watches("Secret of a plugin", &changed.secrets),
            namespace: namespace.to_owned(),
        };
        let publisher = Publisher {
            snapshots: snapshot_sender,
            synced: synced_sender,
            statuses,
            leading: leadership.changes(),
        };
        let loader = FallbackLoader {
            loader,
            components: ComponentStore::new(client.clone(), namespace),
        };
        let copies = ComponentStore::new(writer.clone(), namespace);
        let to_keep = Pending::default();
        tasks.spawn(
            "keeper of components",
            keep_components(copies, to_keep.clone(), leadership.clone()),
        );
        let controller = Controller::new(plugins, loader, references, refresh, publisher, to_keep);
        tasks.spawn(
            "watch of MCPPlugin",
            controller.run(events, changed, not_written),
        );
        Self { snapshots, synced }
    }

    /// The plugins in force.
    pub fn snapshots(&self) -> Snapshots {
        self.snapshots.clone()
    }

    /// Waits until every plugin that was there at the start is in force, or was refused for a reason that is its own; for one
    /// that only the operator's fault keeps out, no longer than a bound.
    ///
    /// # Errors
    /// When the watch of MCPPlugins has ended.
    pub async fn ready(&self) -> Result<(), WatchEnded> {
        let mut synced = self.synced.clone();
        let is_synced = synced.wait_for(|synced| *synced).await;
        is_synced.map(drop).map_err(|_| WatchEnded(PLUGIN_KIND))
    }
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
