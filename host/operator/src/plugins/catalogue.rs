//! All MCPPlugins of a cluster: watches them, and wires what tries them to what makes known which are in force.

use std::path::PathBuf;
use std::sync::Arc;

use kube::runtime::watcher;
use kube::{Api, Client};
use mcp_operator_api::names::PLUGIN_KIND;
use mcp_plugin_host::Host;
use tokio::sync::{mpsc, watch};

use super::attempt::Workshop;
use super::controller::{Controller, Guarded};
use super::publisher::Publisher;
use super::snapshot::{Snapshot, Snapshots};
use super::source::ConfigMaps;
use super::write_status::write_statuses;
use crate::named_watches::NamedWatches;
use crate::watch::{reflected, store};

/// Where plugins come from.
#[derive(Clone, Debug)]
pub struct CatalogueOptions {
    /// Folder with the components that `spec.source.builtin` names.
    pub builtin: PathBuf,
}

/// Watches MCPPlugins and keeps the snapshot in step.
pub struct Catalogue {
    client: Client,
    workshop: Workshop,
    publish: watch::Sender<Arc<Snapshot>>,
    ready: watch::Sender<bool>,
}

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
                workshop: Workshop {
                    maps: ConfigMaps::Cluster(client.clone()),
                    host,
                    builtin: options.builtin,
                },
                client,
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
        let (unwritten, not_written) = mpsc::unbounded_channel();
        tokio::spawn(write_statuses(self.client.clone(), told, unwritten));
        let publisher = Publisher {
            snapshots: self.publish,
            ready: self.ready,
            statuses,
        };
        Controller::new(plugins, self.workshop, maps, publisher)
            .run(events, changed_maps, not_written)
            .await;
    }
}
