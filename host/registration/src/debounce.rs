//! Collects changes: a burst of new servers is one change, and one rollout.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

use crate::requeue::remaining;

/// What should be registered, as far as it tells whether a burst is over.
pub(crate) struct DesiredState {
    /// Changes whenever something else should be registered.
    pub(crate) fingerprint: u64,
    /// Until when new servers may be about to serve.
    pub(crate) starting_until: Option<Timestamp>,
}

/// Waits until what should be registered has not changed for `quiet_period` and is not about to.
pub(crate) async fn wait_until_quiet<Change: Future<Output = ()>>(
    desired: impl Fn() -> DesiredState,
    changed: impl Fn() -> Change,
    quiet_period: Duration,
) {
    let (mut last, mut since) = (desired(), Instant::now());
    loop {
        let starting = last.starting_until.map_or(Duration::ZERO, remaining);
        let quiet = (since + quiet_period).max(Instant::now() + starting);
        if quiet <= Instant::now() {
            return;
        }
        tokio::select! {
            () = sleep_until(quiet) => {}
            () = changed() => {}
        }
        // Events come by the hundred, and each look goes over all servers.
        sleep(quiet_period / 5).await;
        let now = desired();
        if now.fingerprint != last.fingerprint {
            since = Instant::now();
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const QUIET_PERIOD: Duration = Duration::from_secs(2);

    /// How long it takes where something else is desired each second, so many times, and events never end.
    async fn quiet_after(changes: u64, starting_until: Option<Timestamp>) -> Duration {
        let began = Instant::now();
        let desired = || DesiredState {
            fingerprint: began.elapsed().as_secs().min(changes),
            starting_until: starting_until.filter(|_| began.elapsed() < Duration::from_mins(1)),
        };
        wait_until_quiet(desired, || sleep(Duration::from_millis(1)), QUIET_PERIOD).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_change_nothing_are_not_waited_for() {
        assert!(quiet_after(0, None).await < QUIET_PERIOD * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_waited_for_to_its_end() {
        let took = quiet_after(30, None).await;
        assert!(took > Duration::from_secs(31) && took < Duration::from_secs(34));
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_start_are_waited_for() {
        let soon = Timestamp::now() + Duration::from_secs(20);
        assert!(quiet_after(0, Some(soon)).await > Duration::from_secs(19));
        let late = Timestamp::now() + Duration::from_hours(1);
        let took = quiet_after(0, Some(late)).await;
        assert!(took > Duration::from_mins(1) && took < Duration::from_secs(64));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_enough() {
        let began = Instant::now();
        let desired = || DesiredState {
            fingerprint: 1,
            starting_until: None,
        };
        let (waits, never) = (Cell::new(0), std::future::pending::<()>);
        let changed = || {
            waits.set(waits.get() + 1);
            never()
        };
        wait_until_quiet(desired, changed, QUIET_PERIOD).await;
        assert!(began.elapsed() < QUIET_PERIOD * 2 && waits.get() == 1);
    }
}
