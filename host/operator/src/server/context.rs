//! What a pass needs.

use kube::Client;
use kube::runtime::events::Recorder;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::backoff::Backoff;
use super::coalesce::coalesced;
use super::facts::{self, Facts};
use super::live::Live;
use super::servers::{ServerRef, Servers};
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
    pub(super) recorder: Recorder,
    pub(super) live: Live,
    pub(super) troubles: Facts<Trouble>,
    pub(super) secrets: Facts<Fingerprint>,
    pub(super) backoff: Backoff,
    pub(super) servers: Servers,
}

impl Context {
    /// Starts all watches. What they see is sent through the returned channel, for [`run`](super::run).
    pub fn watch(
        client: Client,
        settings: Settings,
        snapshots: Snapshots,
        namespaces: Namespaces,
        recorder: Recorder,
    ) -> (Self, UnboundedReceiver<ServerRef>) {
        let (wake, woken) = mpsc::unbounded_channel();
        let servers = Servers::watch(&client, wake.clone());
        let soon = coalesced(wake.clone());
        let live = Live::watch(&client, &soon);
        let troubles = facts::troubles(&client, soon);
        let secrets = facts::secrets(&client, wake);
        let backoff = Backoff::default();
        (
            Self {
                client,
                settings,
                snapshots,
                namespaces,
                recorder,
                live,
                troubles,
                secrets,
                backoff,
                servers,
            },
            woken,
        )
    }

    /// All MCPServers, for those who need them besides.
    pub fn servers(&self) -> &Servers {
        &self.servers
    }
}
