//! Makes known what is in force: to those who ask plugins, and by the statuses of MCPPlugins.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND};
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_policy::{
    ActivePlugin, Published, Rejection, Snapshot, SnapshotSender, UnavailablePlugin,
};
use mcp_operator_runtime::Term;
use serde_json::json;
use tokio::sync::watch;

use crate::agreement::Agreement;
use crate::controller::GuardedPlugin;
use crate::plugin_state::PluginState;
use crate::status::{self, Loaded};
use crate::status_writer::{PendingStatus, PendingStatuses};

/// Where it is published.
pub(crate) struct Publisher {
    pub(crate) snapshots: SnapshotSender,
    pub(crate) synced: watch::Sender<bool>,
    pub(crate) statuses: PendingStatuses,
    /// Whether this replica writes them.
    pub(crate) leading: watch::Receiver<Term>,
}

impl Publisher {
    /// Publishes the plugins in force, and those that should be.
    pub(crate) fn publish_snapshot(
        &self,
        states: &BTreeMap<String, PluginState>,
        plugins: &[Arc<GuardedPlugin>],
        all_synced: bool,
    ) -> Arc<Snapshot> {
        let active = states.values().filter_map(|state| state.active.clone());
        let unavailable = plugins
            .iter()
            .filter_map(|plugin| unavailable(plugin, states));
        let unavailable: Vec<_> = unavailable.collect();
        let staged = states.values().filter_map(|state| state.staged.clone());
        let snapshot = Snapshot::with_unavailable(active.collect(), unavailable, all_synced);
        let snapshot = Arc::new(snapshot);
        self.snapshots.publish(Published {
            current: Arc::clone(&snapshot),
            staged: staged.collect(),
            behind: self.behind(states, plugins),
        });
        snapshot
    }

    /// Names of plugins that the leader has in force otherwise than this replica.
    fn behind(
        &self,
        states: &BTreeMap<String, PluginState>,
        plugins: &[Arc<GuardedPlugin>],
    ) -> Vec<String> {
        if self.leads() {
            return Vec::new();
        }
        let readable = plugins.iter().filter_map(|guarded| guarded.0.as_ref().ok());
        let behind = readable.filter(|plugin| {
            let state = states.get(&plugin.name_any());
            let agreement = Agreement::of(plugin);
            state
                .zip(agreement)
                .is_some_and(|(state, agreement)| state.is_behind(&agreement))
        });
        behind.map(ResourceExt::name_any).collect()
    }

    /// Whether this replica decides what is in force.
    pub(crate) fn leads(&self) -> bool {
        self.leading.borrow().is_leader()
    }

    /// Other replicas may see these in force, or have seen them.
    pub(crate) fn remember(&self, plugins: Vec<ActivePlugin>) {
        for plugin in plugins {
            self.snapshots.remember(Arc::new(plugin));
        }
    }

    /// Lets go of what was replaced long ago.
    pub(crate) fn forget_replaced(&self) {
        self.snapshots.forget_replaced();
    }

    /// Publishes the snapshot, and has the statuses written that have changed.
    pub(crate) fn publish(
        &self,
        states: &mut BTreeMap<String, PluginState>,
        plugins: &[Arc<GuardedPlugin>],
        all_synced: bool,
    ) {
        let snapshot = self.publish_snapshot(states, plugins, all_synced);
        if !self.leads() {
            return;
        }
        let registrar = snapshot.registrar().map(|plugin| plugin.name());
        let refusing = snapshot
            .unavailable()
            .iter()
            .filter(|plugin| plugin.refuses());
        let refusing: BTreeSet<&str> = refusing.map(UnavailablePlugin::name).collect();
        for guarded in plugins {
            let (plugin, unreadable) = match &guarded.0 {
                Ok(plugin) => (Some(Cow::Borrowed(plugin)), None),
                Err(invalid) => (
                    stand_in(guarded).map(Cow::Owned),
                    Some(Rejection::unreadable(&invalid.error)),
                ),
            };
            let Some(plugin) = plugin else { continue };
            let name = plugin.name_any();
            let Some(state) = states.get_mut(&name) else {
                continue;
            };
            // At the start, what an earlier run wrote is truer than that some are still being loaded.
            if !all_synced && plugin.status.is_some() {
                continue;
            }
            let loaded = Loaded {
                active: state.active.as_deref(),
                rejection: unreadable.as_ref().or(state.rejection.as_ref()),
                refuses: refusing.contains(name.as_str()),
                registrar,
            };
            // What somebody else writes later is compared with what the cluster has.
            if let Some(published) = &state.last_published
                && !status::differs(published, plugin.status.as_ref())
            {
                state.last_published = None;
            }
            let new = status::compute(&plugin, loaded, Timestamp::now());
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

    /// Waits until this replica becomes the leader, or is it no longer. Statuses that it knows of are of an earlier term then:
    /// whoever led meanwhile may have written others.
    pub(crate) async fn leader_changed(&mut self) {
        if self.leading.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.statuses.clear();
    }

    /// Publishes once that every plugin that was there at the start has been loaded or refused, or was waited for.
    pub(crate) fn publish_synced(&self, all_synced: bool) {
        self.synced
            .send_if_modified(|synced| all_synced && !std::mem::replace(synced, true));
    }
}

/// An MCPPlugin that cannot be read, with what is known of it.
fn stand_in(guarded: &GuardedPlugin) -> Option<McpPlugin> {
    let object = json!({
        "apiVersion": API_VERSION, "kind": PLUGIN_KIND, "metadata": guarded.meta(), "spec": { "source": {} },
    });
    serde_json::from_value(object).ok()
}

/// A plugin of the cluster of which nothing is in force.
fn unavailable(
    guarded: &GuardedPlugin,
    states: &BTreeMap<String, PluginState>,
) -> Option<UnavailablePlugin> {
    let name = guarded.name_any();
    // What is known of a deleted object of this name says nothing about this one.
    let is_same =
        |state: &&PluginState| guarded.meta().uid.as_deref().unwrap_or_default() == state.uid();
    let state = states.get(&name).filter(is_same);
    if state.is_some_and(|state| state.active.is_some()) {
        return None;
    }
    Some(match &guarded.0 {
        Ok(plugin) => {
            let staged = state.is_some_and(|state| state.staged.is_some());
            let agreement = Agreement::of(plugin).filter(|_| staged);
            let by_leader = agreement.map(|said| Rejection::not_by_the_leader(said.message()));
            let rejection = state.and_then(|state| state.rejection.as_ref());
            UnavailablePlugin::new(plugin, by_leader.as_ref().or(rejection))
        }
        Err(invalid) => UnavailablePlugin::unreadable(&name, &invalid.error),
    })
}
