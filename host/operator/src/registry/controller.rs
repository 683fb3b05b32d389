//! When the registry is looked at: after a change, collected for a moment; while something is going
//! on; and from time to time.

use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use mcp_operator_core::retry::retry_after;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::pass::{Registry, Standing};
use crate::plugins::Snapshots;
use crate::server::{Servers, jitter};
use crate::settings::Settings;

/// While a rollout is on its way.
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
        let mut failures = 0;
        loop {
            let standing = registry.pass().await;
            failures = if standing.failed.is_some() {
                failures + 1
            } else {
                0
            };
            let pause = pause(&standing, failures);
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

/// `failures`: how many passes in a row have failed.
fn pause(standing: &Standing, failures: u32) -> Duration {
    let pause = match standing.failed {
        Some(class) => retry_after(class, failures, jitter()).unwrap_or(HEARTBEAT),
        None if standing.settled => HEARTBEAT,
        None => WATCHFUL,
    };
    let until = |at: Timestamp| {
        Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default()
            + Duration::from_millis(100)
    };
    standing.look_again.map_or(pause, |at| pause.min(until(at)))
}

#[cfg(test)]
mod tests {
    use mcp_operator_core::retry::ErrorClass;

    use super::*;

    #[test]
    fn what_fails_is_tried_again_by_the_class_of_its_error() {
        let after = |failed, failures| {
            let standing = Standing {
                settled: false,
                failed,
                look_again: None,
            };
            pause(&standing, failures)
        };
        assert_eq!(after(None, 0), WATCHFUL);
        assert_eq!(after(Some(ErrorClass::Terminal), 1), HEARTBEAT);
        assert!(after(Some(ErrorClass::External), 1) > Duration::from_secs(20));
        assert!(after(Some(ErrorClass::Transient), 1) < after(Some(ErrorClass::Transient), 9));
    }
}
