//! Collects changes: a burst of new servers is one change, and one rollout.
//!
//! Each namespace has a silence of its own. Those that are silent wait for the others, since what is applied together is one
//! rollout, but not for long: one that never rests must not keep everybody waiting.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

use crate::requeue::remaining;

/// How long a namespace whose changes are complete waits for namespaces that go on changing something.
const PATIENCE: Duration = Duration::from_secs(30);

/// What should be registered of each namespace, as far as it tells whether a burst is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DesiredState(pub(crate) BTreeMap<String, NamespaceState>);

/// What should be registered of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceState {
    /// Changes whenever something else should be registered.
    pub(crate) fingerprint: u64,
    /// Until when new servers may be about to serve.
    pub(crate) starting_until: Option<Timestamp>,
    /// Something else should be registered than is.
    pub(crate) is_pending: bool,
}

/// Waits until what should be registered has not changed for `quiet_period` and is not about to.
pub(crate) async fn wait_until_quiet<Change: Future<Output = ()>>(
    desired: impl Fn() -> DesiredState,
    changed: impl Fn() -> Change,
    quiet_period: Duration,
) {
    let began = Instant::now();
    // By namespace: the last fingerprint, and since when it is so.
    let mut seen: HashMap<String, (u64, Instant)> = HashMap::new();
    loop {
        let (now, is_first) = (Instant::now(), seen.is_empty());
        let (mut all_quiet, mut somebody_waited) = (began + quiet_period, None);
        for (namespace, state) in desired().0 {
            let begin = if is_first { began } else { now };
            let (known, since) = seen.entry(namespace).or_insert((state.fingerprint, begin));
            if *known != state.fingerprint {
                (*known, *since) = (state.fingerprint, now);
            }
            let starting = state.starting_until.map_or(Duration::ZERO, remaining);
            let silent = *since + quiet_period;
            let quiet = if starting.is_zero() {
                silent
            } else {
                silent.max(now + starting)
            };
            all_quiet = all_quiet.max(quiet);
            if state.is_pending {
                let patience = quiet + PATIENCE;
                somebody_waited =
                    Some(somebody_waited.map_or(patience, |it: Instant| it.min(patience)));
            }
        }
        let end = somebody_waited.map_or(all_quiet, |waited| waited.min(all_quiet));
        if end <= now {
            return;
        }
        tokio::select! {
            () = sleep_until(end) => {}
            () = changed() => {}
        }
        // Events come by the hundred, and each look goes over all servers.
        sleep(quiet_period / 5).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const QUIET_PERIOD: Duration = Duration::from_secs(2);

    fn state(
        fingerprint: u64,
        starting_until: Option<Timestamp>,
        is_pending: bool,
    ) -> NamespaceState {
        NamespaceState {
            fingerprint,
            starting_until,
            is_pending,
        }
    }

    fn of_one(state: NamespaceState) -> DesiredState {
        DesiredState([("tools".to_owned(), state)].into())
    }

    /// How long it takes where something else is desired each second, so many times, and events never end.
    async fn quiet_after(changes: u64, starting_until: Option<Timestamp>) -> Duration {
        let began = Instant::now();
        let desired = || {
            let fingerprint = began.elapsed().as_secs().min(changes);
            let starting = starting_until.filter(|_| began.elapsed() < Duration::from_mins(1));
            of_one(state(fingerprint, starting, true))
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
        let (waits, never) = (Cell::new(0), std::future::pending::<()>);
        let changed = || {
            waits.set(waits.get() + 1);
            never()
        };
        wait_until_quiet(|| of_one(state(1, None, true)), changed, QUIET_PERIOD).await;
        assert!(began.elapsed() < QUIET_PERIOD * 2 && waits.get() == 1);
    }

    /// How long one change of a quiet namespace waits beside others that change every second, and beside one whose servers
    /// are always just about to start.
    async fn quiet_beside(restless: usize, starting: bool) -> Duration {
        let began = Instant::now();
        let desired = || {
            let second = began.elapsed().as_secs();
            let mut namespaces = BTreeMap::from([("quiet".to_owned(), state(1, None, true))]);
            for number in 0..restless {
                namespaces.insert(format!("restless-{number}"), state(second, None, true));
            }
            if starting {
                let until = Timestamp::now() + Duration::from_secs(20);
                namespaces.insert("starting".to_owned(), state(0, Some(until), false));
            }
            DesiredState(namespaces)
        };
        let quiet = wait_until_quiet(desired, || sleep(Duration::from_millis(10)), QUIET_PERIOD);
        let _ = tokio::time::timeout(Duration::from_mins(3), quiet).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn namespaces_that_never_rest_keep_a_quiet_one_waiting_for_no_more_than_its_patience() {
        for (restless, starting) in [(1, false), (40, false), (0, true), (40, true)] {
            let took = quiet_beside(restless, starting).await;
            assert!(
                took > PATIENCE && took < PATIENCE + QUIET_PERIOD * 2,
                "{restless} {took:?}"
            );
        }
        assert!(quiet_beside(0, false).await < QUIET_PERIOD * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_applied_to_several_namespaces_at_once_is_waited_for() {
        let began = Instant::now();
        let desired = || {
            let second = began.elapsed().as_secs().min(15);
            DesiredState(
                [
                    ("a".to_owned(), state(1, None, true)),
                    ("b".to_owned(), state(second, None, true)),
                ]
                .into(),
            )
        };
        wait_until_quiet(desired, || sleep(Duration::from_millis(10)), QUIET_PERIOD).await;
        assert!(
            began.elapsed() > Duration::from_secs(16) && began.elapsed() < Duration::from_secs(19)
        );
    }
}
