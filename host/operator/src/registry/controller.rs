//! When the registry is looked at: after a change, collected for a moment; while something is going
//! on; and from time to time.

use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::pass::{Registry, Standing};
use crate::plugins::Snapshots;
use crate::server::Servers;
use crate::settings::Settings;

/// While a rollout or a retry is on its way.
const WATCHFUL: Duration = Duration::from_secs(2);
/// Without any event: somebody may have changed the gateway's side.
const HEARTBEAT: Duration = Duration::from_mins(5);

/// Keeps the gateway in step with the MCPServers until `shutdown`.
pub async fn run(
    client: Client,
    settings: Settings,
    snapshots: Snapshots,
    servers: Servers,
    shutdown: CancellationToken,
) {
    let work = async {
        servers.ready().await;
        let registry = Registry::new(client, settings.clone(), snapshots.clone(), servers.clone());
        let mut plugins = snapshots.clone();
        loop {
            let standing = registry.pass().await;
            let pause = pause(&standing);
            debug!(?pause, ?standing, "registry");
            let change = async {
                tokio::select! {
                    () = servers.changed() => {}
                    () = plugins.changed() => {}
                }
            };
            if timeout(pause, change).await.is_ok() {
                sleep(settings.registry_debounce).await;
            }
        }
    };
    tokio::select! {
        () = work => warn!("the registry's loop ended"),
        () = shutdown.cancelled() => {}
    }
}

fn pause(standing: &Standing) -> Duration {
    let pause = if standing.settled {
        HEARTBEAT
    } else {
        WATCHFUL
    };
    let until = |at: Timestamp| {
        Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default()
            + Duration::from_millis(100)
    };
    standing.look_again.map_or(pause, |at| pause.min(until(at)))
}
