//! Makes known what is in force: to those who ask plugins, and by the statuses of MCPPlugins.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpPlugin;
use tokio::sync::{mpsc, watch};

use super::entry::Entry;
use super::snapshot::Snapshot;
use super::status;
use super::write_status::Told;

/// Who is told.
pub(super) struct Publisher {
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    /// Whether all plugins that were there at the start were tried.
    pub(super) ready: watch::Sender<bool>,
    pub(super) statuses: mpsc::UnboundedSender<Told>,
}

impl Publisher {
    /// Publishes the snapshot, and has what changed written into the statuses.
    pub(super) fn publish<'a>(
        &self,
        entries: &mut BTreeMap<String, Entry>,
        plugins: impl Iterator<Item = &'a McpPlugin>,
        all_tried: bool,
    ) {
        let snapshot = Snapshot::new(
            entries
                .values()
                .filter_map(|entry| entry.active.clone())
                .collect(),
        );
        let registrar = snapshot.registrar().map(|plugin| plugin.name().to_owned());
        self.snapshots.send_if_modified(|current| {
            let differs = current.fingerprint() != snapshot.fingerprint();
            *current = Arc::new(snapshot);
            differs
        });
        for plugin in plugins {
            let Some(entry) = entries.get_mut(&plugin.name_any()) else {
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

    /// Tells when all were tried, once.
    pub(super) fn tell_ready(&self, all_tried: bool) {
        self.ready
            .send_if_modified(|ready| all_tried && !std::mem::replace(ready, true));
    }
}
