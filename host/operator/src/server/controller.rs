//! The wiring of the controller: what wakes a pass, how many may run, when they end.

use std::convert::Infallible;
use std::sync::Arc;

use futures::{StreamExt, future, stream};
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::context::Context;
use super::orphans;
use super::reconcile::reconcile;
use super::reference::ServerRef;

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
    let (tell_absent, absent) = mpsc::unbounded_channel();
    let passes = Controller::for_stream(stream::pending(), context.servers.store().clone())
        .with_config(controller::Config::default().concurrency(context.settings.concurrency))
        .reconcile_on(stream::poll_fn(move |task| woken.poll_recv(task)))
        .reconcile_all_on(plugins_changed)
        .reconcile_all_on(context.states_change())
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(
            |server, context| async { Ok::<Action, Infallible>(reconcile(server, context).await) },
            |_, error, _| match *error {},
            context.clone(),
        )
        .for_each(move |result| {
            // One that is gone. No pass over it goes on any more that could make anything.
            if let Err(controller::Error::ObjectNotFound(server)) = &result {
                let namespace = server.namespace.as_deref().unwrap_or_default();
                let server: ServerRef = ObjectRef::new(&server.name).within(namespace);
                // The receiver waits for this sender to go.
                let _ = tell_absent.send(server);
            }
            if let Err(error) = result {
                debug!(%error, "pass skipped");
            }
            future::ready(())
        });
    tokio::join!(passes, orphans::run(&context, absent));
}
