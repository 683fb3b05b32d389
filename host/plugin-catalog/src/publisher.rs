//! Makes known what is in force: to those who ask plugins, and by the statuses of MCPPlugins.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_policy::Snapshot;
use tokio::sync::watch;

use crate::plugin_state::PluginState;
use crate::status;
use crate::status_writer::{PendingStatus, PendingStatuses};

/// Where it is published.
pub(crate) struct Publisher {
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(crate) synced: watch::Sender<bool>,
    pub(crate) statuses: PendingStatuses,
}

impl Publisher {
    /// Publishes the snapshot, and has the statuses written that have changed.
    pub(crate) fn publish<'a>(
        &self,
        states: &mut BTreeMap<String, PluginState>,
        plugins: impl Iterator<Item = &'a McpPlugin>,
        all_synced: bool,
    ) {
        let active = states.values().filter_map(|state| state.active.clone());
        let snapshot = Snapshot::new(active.collect());
        let registrar = snapshot.registrar().map(|plugin| plugin.name().to_owned());
        self.snapshots.send_if_modified(|current| {
            let differs = current.fingerprint() != snapshot.fingerprint();
            *current = Arc::new(snapshot);
            differs
        });
        for plugin in plugins {
            let name = plugin.name_any();
            let Some(state) = states.get_mut(&name) else {
                continue;
            };
            // At the start, what an earlier run wrote is truer than that some are still being loaded.
            if !all_synced && plugin.status.is_some() {
                continue;
            }
            let new = status::compute(
                plugin,
                state.active.as_deref(),
                state.rejection.as_ref(),
                registrar.as_deref(),
                Timestamp::now(),
            );
            if status::differs(
                &new,
                state.last_published.as_ref().or(plugin.status.as_ref()),
            ) {
                state.last_published = Some(new.clone());
                let pending = PendingStatus {
                    uid: plugin.uid(),
                    status: new,
                };
                self.statuses.replace(name, pending);
            }
        }
    }

    /// Publishes once that every plugin that was there at the start has been loaded, or refused.
    pub(crate) fn publish_synced(&self, all_synced: bool) {
        self.synced
            .send_if_modified(|synced| all_synced && !std::mem::replace(synced, true));
    }
}
