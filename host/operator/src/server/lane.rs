//! Passes over servers that have failed: only some of them run at the same time.
//!
//! A failure may be slow: a webhook of somebody that does not answer holds a write for as long as it may. With more such
//! servers than passes that may run at once, all others would wait for them.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};

/// Before one that found no place looks again.
pub(super) const FULL: Duration = Duration::from_secs(1);

/// Places for passes over servers that have failed.
pub(super) struct Lane(Semaphore);

impl Lane {
    /// Half of the passes that may run at once; 0: there is no such bound.
    pub(super) fn new(concurrency: u16) -> Self {
        Self(Semaphore::new(match concurrency {
            0 => Semaphore::MAX_PERMITS,
            passes => usize::from(passes).div_ceil(2),
        }))
    }

    /// A place for as long as the answer is kept. Whoever waited for one here would hold what others need.
    pub(super) fn enter(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.0.try_acquire()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_passes_are_for_those_that_do_not_fail() {
        let lane = Lane::new(16);
        let places: Vec<_> = std::iter::from_fn(|| lane.enter().ok()).collect();
        assert_eq!(places.len(), 8);
        drop(places);
        assert!(lane.enter().is_ok());
        for concurrency in [0, 1] {
            assert!(Lane::new(concurrency).enter().is_ok());
        }
    }
}
