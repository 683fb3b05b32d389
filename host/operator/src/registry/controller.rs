//! When the registry is looked at: after a change, collected for a moment; while something is going
//! on; and from time to time.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use mcp_operator_core::registry::Desired;
use mcp_operator_core::retry::{ErrorClass, retry_after};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Tools;
use super::pass::{Registry, Standing, Wanted};
use super::plugin_conditions::PluginConditions;
use super::record::Records;
use super::succession::Succession;
use crate::events::Events;
use crate::named_watches::NamedWatches;
use crate::plugins::Snapshots;
use crate::server::{Servers, jitter};

/// While a rollout is on its way.
const WATCHFUL: Duration = Duration::from_secs(2);
/// While one is on its way that does not get on.
const PATIENT: Duration = Duration::from_secs(20);
/// Looks until a rollout is thought not to get on: two minutes.
const WATCHFUL_LOOKS: u32 = 60;

/// Keeps the gateway in step with the MCPServers until `shutdown`.
pub async fn run(
    tools: Tools,
    snapshots: Snapshots,
    servers: Servers,
    events: Events,
    shutdown: CancellationToken,
) {
    tokio::select! {
        () = work(tools, snapshots, servers, events) => warn!("the registry's loop ended"),
        () = shutdown.cancelled() => {}
    }
}

async fn work(tools: Tools, mut snapshots: Snapshots, servers: Servers, events: Events) {
    servers.ready().await;
    let client = tools.client.clone();
    let (debounce, longest) = (
        tools.settings.registry_debounce,
        tools.settings.registry_debounce_longest,
    );
    let resync = tools.settings.registry_resync;
    let (tell, mut rotated) = mpsc::unbounded_channel();
    let mut secrets = NamedWatches::new(client.clone(), "Secret of a connection", tell);
    let mut registry = Registry {
        succession: Succession::new(Records::new(client.clone(), &tools.namespace)),
        plugin_conditions: PluginConditions::new(client, events),
        tools,
        snapshots: snapshots.clone(),
        servers: servers.clone(),
        last: Desired::default(),
    };
    let (mut failures, mut looks) = (0, 0);
    loop {
        let standing = registry.pass().await;
        failures = match standing.failed {
            None => 0,
            Some(_) if standing.progressed => 0,
            // Who looks while a service is left alone learns nothing new about it.
            Some(_) if standing.leave_alone.is_some() => failures.max(1),
            Some(_) => failures + 1,
        };
        looks = if standing.settled { 0 } else { looks + 1 };
        let pause = pause(&standing, failures, looks, resync);
        debug!(?pause, ?standing, "registry");
        secrets.keep::<Secret>(&secrets_of(&snapshots));
        let change = async {
            tokio::select! {
                () = servers.changed() => {}
                () = snapshots.changed() => {}
                _ = rotated.recv() => {}
            }
        };
        if timeout(pause, change).await.is_ok() {
            let settled = settle(|| registry.wanted(), || servers.changed(), debounce);
            // Changes that never end must not keep those waiting that came first.
            let _ = timeout(longest, settled).await;
            // What is said about new servers gives way to their objects.
            servers.acted_on().await;
        }
        // The next pass reads all Secrets: whatever was told about them by now is known then.
        while rotated.try_recv().is_ok() {}
    }
}

/// Waits until what should be registered has not changed for `debounce` and is not about to: a burst of new servers is
/// one change, and one rollout.
async fn settle<Change: Future<Output = ()>>(
    look: impl Fn() -> Wanted,
    changed: impl Fn() -> Change,
    debounce: Duration,
) {
    let (mut wanted, mut since) = (look(), Instant::now());
    loop {
        let arriving = wanted.arriving.map_or(Duration::ZERO, remaining);
        let quiet = (since + debounce).max(Instant::now() + arriving);
        if quiet <= Instant::now() {
            return;
        }
        tokio::select! {
            () = sleep_until(quiet) => {}
            () = changed() => {}
        }
        // Events come by the hundred, and each look goes over all servers.
        sleep(debounce / 5).await;
        let now = look();
        if now.entries != wanted.entries {
            since = Instant::now();
        }
        wanted = now;
    }
}

/// From now until then.
fn remaining(until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default()
}

/// The Secrets that registrars need.
fn secrets_of(snapshots: &Snapshots) -> BTreeSet<(String, String)> {
    let plugins = snapshots.current();
    plugins
        .registrars()
        .flat_map(|plugin| plugin.connections().secrets())
        .collect()
}

/// `failures` and `looks`: how many passes in a row have failed, or did not settle.
fn pause(standing: &Standing, failures: u32, looks: u32, resync: Duration) -> Duration {
    let again = |class, attempt| retry_after(class, attempt, jitter()).unwrap_or(resync);
    let watch = if looks <= WATCHFUL_LOOKS {
        WATCHFUL
    } else {
        PATIENT
    };
    let pause = match standing.failed {
        // What fails must not keep waiting what gets on.
        Some(_) if standing.progressed => watch,
        Some(class) => again(class, failures),
        None if standing.settled => resync,
        None if standing.stalled => again(ErrorClass::Transient, looks).min(PATIENT),
        None => watch,
    };
    let pause = pause.max(standing.leave_alone.unwrap_or_default());
    let until = |at| remaining(at) + Duration::from_millis(100);
    standing.look_again.map_or(pause, |at| pause.min(until(at)))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const DEBOUNCE: Duration = Duration::from_secs(2);

    /// How long it takes where something else is wanted each second, so many times, and events never end.
    async fn settled_after(changes: u64, arriving: Option<Timestamp>) -> Duration {
        let began = Instant::now();
        let look = || Wanted {
            entries: began.elapsed().as_secs().min(changes),
            arriving: arriving.filter(|_| began.elapsed() < Duration::from_mins(1)),
        };
        settle(look, || sleep(Duration::from_millis(1)), DEBOUNCE).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_change_nothing_hold_up_nobody() {
        assert!(settled_after(0, None).await < DEBOUNCE * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_waited_for_to_its_end() {
        let took = settled_after(30, None).await;
        assert!(took > Duration::from_secs(31) && took < Duration::from_secs(34));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_about_to_come_is_waited_for() {
        let soon = Timestamp::now() + Duration::from_secs(20);
        assert!(settled_after(0, Some(soon)).await > Duration::from_secs(19));
        let late = Timestamp::now() + Duration::from_hours(1);
        let took = settled_after(0, Some(late)).await;
        assert!(took > Duration::from_mins(1) && took < Duration::from_secs(64));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_enough() {
        let began = Instant::now();
        let look = || Wanted {
            entries: 1,
            arriving: None,
        };
        let (told, never) = (Cell::new(0), std::future::pending::<()>);
        let changed = || {
            told.set(told.get() + 1);
            never()
        };
        settle(look, changed, DEBOUNCE).await;
        assert!(began.elapsed() < DEBOUNCE * 2 && told.get() == 1);
    }

    #[test]
    fn what_fails_is_tried_again_by_the_class_of_its_error() {
        let resync = Duration::from_mins(1);
        let after = |failed, failures, looks| {
            let standing = Standing {
                failed,
                ..Standing::default()
            };
            pause(&standing, failures, looks, resync)
        };
        assert_eq!(after(None, 0, 1), WATCHFUL);
        assert_eq!(after(None, 0, 61), PATIENT);
        assert_eq!(after(Some(ErrorClass::Terminal), 1, 1), resync);
        assert!(after(Some(ErrorClass::External), 1, 1) > Duration::from_secs(20));
        assert!(
            after(Some(ErrorClass::Transient), 1, 1) < after(Some(ErrorClass::Transient), 9, 9)
        );
    }

    #[test]
    fn what_fails_keeps_nobody_waiting_who_gets_on() {
        let standing = Standing {
            failed: Some(ErrorClass::Terminal),
            progressed: true,
            ..Standing::default()
        };
        assert_eq!(pause(&standing, 0, 1, Duration::from_mins(1)), WATCHFUL);
    }

    #[test]
    fn who_asked_to_be_left_alone_is_left_alone() {
        let standing = Standing {
            failed: Some(ErrorClass::Transient),
            progressed: true,
            leave_alone: Some(Duration::from_secs(30)),
            ..Standing::default()
        };
        let wait = pause(&standing, 1, 1, Duration::from_mins(1));
        assert_eq!(wait, Duration::from_secs(30));
    }

    /// As an answer that is no list of LiteLLM: nothing failed, and nothing is on its way.
    #[test]
    fn what_does_not_get_on_is_looked_at_ever_more_slowly() {
        let standing = Standing {
            stalled: true,
            ..Standing::default()
        };
        let after = |looks| pause(&standing, 0, looks, Duration::from_mins(1));
        assert!(after(1) < WATCHFUL && after(5) > WATCHFUL);
        assert_eq!(after(50), PATIENT);
    }
}
