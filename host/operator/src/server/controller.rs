//! The wiring of the controller: what wakes a pass, how many may run, when they end.

use std::convert::Infallible;
use std::sync::Arc;

use futures::{StreamExt, stream};
use kube::runtime::controller::{self, Action, Controller};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::context::Context;
use super::reconcile::reconcile;
use super::servers::ServerRef;

/// Runs the controller until `shutdown`; passes that are going on are finished first.
pub async fn run(
    context: Arc<Context>,
    mut woken: UnboundedReceiver<ServerRef>,
    shutdown: CancellationToken,
) {
    context.live.ready().await;
    // Without them, pods would be replaced for Secrets that only have not been seen yet.
    context.secrets.ready().await;
    context.troubles.ready().await;
    let plugins_changed = stream::unfold(context.snapshots.clone(), |mut snapshots| async {
        snapshots.changed().await;
        Some(((), snapshots))
    });
    Controller::for_stream(stream::pending(), context.servers.store().clone())
        .with_config(controller::Config::default().concurrency(context.settings.concurrency))
        .reconcile_on(stream::poll_fn(move |task| woken.poll_recv(task)))
        .reconcile_all_on(plugins_changed)
        .reconcile_all_on(context.live.states_change())
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
