//! When the next reconcile of a server comes, if no event brings one earlier.
//!
//! Each server has a backoff of its own: kube's `Controller` would have one for all of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_operator_core::retry::{Classify, ErrorClass, retry_after};
use mcp_operator_core::rollout::Rollout;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::Priority;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::fight_detector;

/// Reconcile without any event: watches can miss what they do not know of.
const RESYNC: Duration = Duration::from_hours(1);
/// While a rollout is going on, and before the first status of a new Deployment.
pub(crate) const ROLLOUT_POLL: Duration = Duration::from_secs(10);
/// After a refusal that only a change mends. The change may be somebody else's and come without an event for us: a policy
/// that is deleted, a webhook that is mended.
const TERMINAL_RETRY: Duration = Duration::from_mins(5);
/// Before a retry that found all places taken tries again.
pub(crate) const RETRY_WHEN_FULL: Duration = Duration::from_secs(1);
/// A reconcile that took longer than this has kept its user waiting: its failure is reported although it is the first.
const QUICK: Duration = Duration::from_secs(3);

/// When a server is reconciled again, if nothing happens to it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requeue {
    pub(crate) after: Duration,
    pub(crate) priority: Priority,
}

impl Requeue {
    /// Something failed, and somebody waits for it.
    pub(crate) fn retry(after: Duration) -> Self {
        let priority = Priority::Normal;
        Self { after, priority }
    }

    /// All is well as far as the operator can do something about it.
    pub(crate) fn look_again(after: Duration) -> Self {
        let priority = Priority::Low;
        Self { after, priority }
    }
}

/// After a reconcile that nothing stopped. `jitter`, from 0.0 to 1.0, spreads what would come together.
pub(crate) fn after_success(contested: bool, rollout: Option<&Rollout>, jitter: f64) -> Duration {
    match rollout {
        _ if contested => fight_detector::WINDOW,
        Some(rollout) if !rollout.complete() => ROLLOUT_POLL,
        _ => spread(RESYNC, jitter),
    }
}

/// A tenth more or less.
fn spread(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(0.9 + jitter / 5.0)
}

/// Failures in a row, by server.
#[derive(Default)]
pub(crate) struct Backoff(Mutex<HashMap<ServerKey, u32>>);

impl Backoff {
    /// Forgets the failures of a server that is well, was changed by its user, or is gone.
    pub(crate) fn reset(&self, server: &ServerKey) {
        self.lock().remove(server);
    }

    /// Whether the last reconcile of a server failed.
    pub(crate) fn has_failed(&self, server: &ServerKey) -> bool {
        self.lock().contains_key(server)
    }

    /// Counts a failure, and says when to try again.
    pub(crate) fn after_failure(
        &self,
        server: &ServerKey,
        class: ErrorClass,
        jitter: f64,
    ) -> Duration {
        let mut failures = self.lock();
        let attempt = failures.entry(server.clone()).or_default();
        *attempt = attempt.saturating_add(1);
        retry_after(class, *attempt, jitter).unwrap_or_else(|| spread(TERMINAL_RETRY, jitter))
    }

    /// Forgets all failures.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerKey, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One try of a reconcile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// The last one failed.
    pub(crate) is_retry: bool,
    began: Instant,
}

impl Attempt {
    /// Begins now.
    pub(crate) fn begin(is_retry: bool) -> Self {
        Self {
            is_retry,
            began: Instant::now(),
        }
    }

    /// Whether a failure shows in the status, or first has to happen again.
    ///
    /// A hiccup of the API server or a moment of overload is over with the next try: to report it would be two writes for
    /// each server, at the worst time.
    pub(crate) fn reports(&self, error: &impl Classify) -> bool {
        self.is_retry || !error.class().may_resolve_itself() || self.began.elapsed() > QUICK
    }
}

/// Limits how many retries run at the same time, to half of all reconciles.
///
/// A failure may be slow: a webhook of somebody that does not answer holds a write for as long as it may. With more such
/// servers than reconciles that may run at once, all others would wait for them.
pub(crate) struct RetryLimiter(Semaphore);

impl RetryLimiter {
    /// Half of the reconciles that may run at once; 0: there is no such bound.
    pub(crate) fn new(concurrency: u16) -> Self {
        Self(Semaphore::new(match concurrency {
            0 => Semaphore::MAX_PERMITS,
            reconciles => usize::from(reconciles).div_ceil(2),
        }))
    }

    /// A permit for as long as it is kept; nothing if all are taken. To wait for one here would occupy what others need.
    pub(crate) fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.0.try_acquire().ok()
    }
}

#[cfg(test)]
mod tests {
    use mcp_operator_runtime::ApiError;
    use serde_json::json;
    use tokio::time::advance;

    use super::*;

    #[test]
    fn a_server_that_is_well_is_looked_at_once_an_hour_and_a_rollout_every_ten_seconds() {
        let rollout = |available: u32| {
            Rollout::of(&json!({
                "spec": { "replicas": 2 },
                "status": { "updatedReplicas": 2, "replicas": 2, "availableReplicas": available },
            }))
        };
        let (complete, going_on) = (rollout(2), rollout(1));
        let seconds = |contested, rollout| after_success(contested, rollout, 0.5).as_secs();
        assert_eq!(seconds(false, Some(&complete)), 3600);
        assert_eq!(seconds(false, None), 3600);
        assert_eq!(seconds(false, Some(&going_on)), 10);
        assert_eq!(seconds(true, Some(&complete)), 60);
        assert_eq!(seconds(true, Some(&going_on)), 60);
        assert_eq!(after_success(false, None, 0.0).as_secs(), 3240);
        assert_eq!(after_success(false, None, 1.0).as_secs(), 3960);
    }

    /// A policy that is deleted tells nobody: an hour would be too long, and seconds would be thousands of vain writes.
    #[test]
    fn what_is_refused_is_tried_again_after_minutes_and_everything_else_by_its_class() {
        for (class, first, later) in [
            (ErrorClass::Terminal, 300_000, 300_000),
            (ErrorClass::Conflict, 200, 60_000),
            (ErrorClass::Transient, 500, 60_000),
            (ErrorClass::External, 30_000, 30_000),
            (ErrorClass::PluginGuest, 500, 60_000),
            (ErrorClass::PluginHost, 500, 60_000),
        ] {
            let (backoff, server) = (Backoff::default(), ServerKey::new("tools", "a"));
            let pauses: Vec<u128> = (0..20)
                .map(|_| backoff.after_failure(&server, class, 0.5).as_millis())
                .collect();
            assert_eq!((pauses[0], pauses[19]), (first, later), "{class:?}");
        }
    }

    #[test]
    fn each_server_has_its_own_backoff() {
        let backoff = Backoff::default();
        let [a, b] = ["a", "b"].map(|name| ServerKey::new("tools", name));
        let next = |server| backoff.after_failure(server, ErrorClass::Transient, 0.5);
        let first = next(&a);
        assert!(next(&a) > first);
        assert_eq!(next(&b), first);
        assert!(backoff.has_failed(&a));
        backoff.reset(&a);
        assert!(!backoff.has_failed(&a));
        assert_eq!(next(&a), first);
    }

    fn api_error(code: u16) -> ApiError {
        let status = kube::core::Status {
            code,
            ..kube::core::Status::default()
        };
        ApiError::new("apply", kube::Error::Api(Box::new(status)))
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_resolve_itself_is_reported_when_it_happens_again_and_what_was_slow_at_once() {
        for code in [409, 429, 500] {
            let first = Attempt::begin(false);
            assert!(!first.reports(&api_error(code)), "{code}");
            assert!(Attempt::begin(true).reports(&api_error(code)), "{code}");
            advance(QUICK + Duration::from_secs(1)).await;
            assert!(first.reports(&api_error(code)), "{code}");
        }
        for code in [403, 422] {
            assert!(Attempt::begin(false).reports(&api_error(code)), "{code}");
        }
    }

    #[test]
    fn half_of_the_reconciles_are_for_servers_that_do_not_fail() {
        let limiter = RetryLimiter::new(16);
        let permits: Vec<_> = std::iter::from_fn(|| limiter.try_acquire()).collect();
        assert_eq!(permits.len(), 8);
        drop(permits);
        assert!(limiter.try_acquire().is_some());
        for concurrency in [0, 1] {
            assert!(RetryLimiter::new(concurrency).try_acquire().is_some());
        }
    }
}
