//! What a pass needs.

use kube::Client;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::coalesce::{coalesced, giving_way};
use super::contest::Contests;
use super::facts::{self, Facts};
use super::lane::Lane;
use super::live::{Live, Owners};
use super::memory::Memory;
use super::reference::ServerRef;
use super::servers::Servers;
use crate::events::Events;
use crate::namespaces::Namespaces;
use crate::plugins::Snapshots;
use crate::settings::Settings;
use mcp_operator_core::pods::Trouble;
use mcp_operator_core::rotation::Fingerprint;

/// What a pass needs.
pub struct Context {
    pub(super) client: Client,
    pub(super) settings: Settings,
    pub(super) snapshots: Snapshots,
    pub(super) namespaces: Namespaces,
    pub(super) events: Events,
    pub(super) live: Live,
    pub(super) troubles: Facts<Trouble>,
    pub(super) secrets: Facts<Fingerprint>,
    pub(super) contests: Contests,
    pub(super) lane: Lane,
    pub(super) memory: Memory,
    pub(super) servers: Servers,
    /// For whoever has to be looked at later.
    pub(super) wake: UnboundedSender<ServerRef>,
    /// For whoever has to be looked at when no change waits.
    progress: UnboundedSender<ServerRef>,
}

impl Context {
    /// Starts all watches. What they see is sent through the returned channel, for [`run`](super::run).
    pub fn watch(
        client: Client,
        settings: Settings,
        snapshots: Snapshots,
        namespaces: Namespaces,
        events: Events,
    ) -> (Self, UnboundedReceiver<ServerRef>) {
        let (wake, woken) = mpsc::unbounded_channel();
        let lane = Lane::new(settings.concurrency);
        let servers = Servers::watch(&client, wake.clone());
        let memory = servers.memory().clone();
        let soon = coalesced(wake.clone());
        let progress = giving_way(wake.clone(), memory.pending.clone());
        let owners = Owners {
            progress: progress.clone(),
            soon: soon.clone(),
            at_once: wake.clone(),
        };
        let live = Live::watch(&client, &owners);
        let troubles = facts::troubles(&client, soon);
        let secrets = facts::secrets(&client, wake.clone());
        (
            Self {
                client,
                settings,
                snapshots,
                namespaces,
                events,
                live,
                troubles,
                secrets,
                contests: Contests::default(),
                lane,
                memory,
                servers,
                wake,
                progress,
            },
            woken,
        )
    }

    /// Has a server looked at again when it is its turn.
    pub(super) fn gives_way(&self, server: ServerRef) {
        // The receiver is gone only when the program ends.
        let _ = self.progress.send(server);
    }

    /// All MCPServers, for those who need them besides.
    pub fn servers(&self) -> &Servers {
        &self.servers
    }
}
