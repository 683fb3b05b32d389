//! Failures in a row, for each server: each waits for itself and delays nobody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mcp_operator_core::retry::{ErrorClass, retry_after};

/// A number from 0.0 to 1.0 that differs from call to call: spreads what would come together.
pub(crate) fn jitter() -> f64 {
    f64::from(jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() % 1000) / 1000.0
}

/// Failures in a row, by `namespace/name`.
#[derive(Default)]
pub(super) struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// Forgets the failures of a server that is well, or gone.
    pub(super) fn reset(&self, server: &str) {
        self.lock().remove(server);
    }

    /// Whether the last pass over a server failed.
    pub(super) fn has_failed(&self, server: &str) -> bool {
        self.lock().contains_key(server)
    }

    /// Counts a failure and says when to try again.
    pub(super) fn next(&self, server: &str, class: ErrorClass, jitter: f64) -> Option<Duration> {
        let mut failures = self.lock();
        let attempt = failures.entry(server.to_owned()).or_default();
        *attempt = attempt.saturating_add(1);
        retry_after(class, *attempt, jitter)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_waits_for_itself() {
        let backoff = Backoff::default();
        let next = |server| backoff.next(server, ErrorClass::Transient, 0.5).unwrap();
        let first = next("tools/a");
        assert!(next("tools/a") > first);
        assert_eq!(next("tools/b"), first);
        assert!(backoff.has_failed("tools/a"));
        backoff.reset("tools/a");
        assert!(!backoff.has_failed("tools/a"));
        assert_eq!(next("tools/a"), first);
    }
}
