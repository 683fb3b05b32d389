//! The wiring of the controller: what a pass needs, what wakes it, how many may run, when they end.

use std::convert::Infallible;
use std::sync::Arc;

use futures::{StreamExt, stream};
use kube::Client;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::events::Recorder;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::backoff::Backoff;
use super::live::Live;
use super::reconcile::reconcile;
use super::servers::{ServerRef, Servers};
use crate::namespaces::Namespaces;
use crate::plugins::Snapshots;
use crate::settings::Settings;

/// What a pass needs.
pub struct Context {
    pub(super) client: Client,
    pub(super) settings: Settings,
    pub(super) snapshots: Snapshots,
    pub(super) namespaces: Namespaces,
    pub(super) recorder: Recorder,
    pub(super) live: Live,
    pub(super) backoff: Backoff,
    servers: Servers,
}

impl Context {
    /// Starts all watches. What they see is sent through the returned channel, for [`run`].
    pub fn watch(
        client: Client,
        settings: Settings,
        snapshots: Snapshots,
        namespaces: Namespaces,
        recorder: Recorder,
    ) -> (Self, UnboundedReceiver<ServerRef>) {
        let (wake, woken) = mpsc::unbounded_channel();
        let servers = Servers::watch(&client, wake.clone());
        let live = Live::watch(&client, wake);
        let backoff = Backoff::default();
        (
            Self {
                client,
                settings,
                snapshots,
                namespaces,
                recorder,
                live,
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

/// Runs the controller until `shutdown`; passes that are going on are finished first.
pub async fn run(
    context: Arc<Context>,
    mut woken: UnboundedReceiver<ServerRef>,
    shutdown: CancellationToken,
) {
    context.live.ready().await;
    let plugins_changed = stream::unfold(context.snapshots.clone(), |mut snapshots| async {
        snapshots.changed().await;
        Some(((), snapshots))
    });
    Controller::for_stream(stream::pending(), context.servers.store().clone())
        .with_config(controller::Config::default().concurrency(context.settings.concurrency))
        .reconcile_on(stream::poll_fn(move |task| woken.poll_recv(task)))
        .reconcile_all_on(plugins_changed)
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(
            |server, context| async { Ok::<Action, Infallible>(reconcile(server, context).await) },
            |_, error, _| match *error {},
            context.clone(),
        )
        .for_each(|result| async move {
            // A server that was deleted before its turn came: nothing is left to do.
            if let Err(error) = result {
                debug!(%error, "pass skipped");
            }
        })
        .await;
}
