//! The deadline of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::ticker::TICK;

/// The deadline of a call.
///
/// It is extended once, by the whole timeout, if this process was suspended for most of that time (a virtual machine that
/// was paused, a CPU that was taken away): the guest is not to blame, and the caller should get an answer.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    timeout: Duration,
    ticks: Arc<AtomicU64>,
    first_tick: u64,
    is_extended: bool,
}

impl Deadline {
    /// `ticks` is the count of the [`Ticker`](crate::ticker::Ticker).
    pub(crate) fn new(timeout: Duration, ticks: Arc<AtomicU64>) -> Self {
        Self {
            at: Instant::now() + timeout,
            timeout,
            first_tick: ticks.load(Ordering::Relaxed),
            ticks,
            is_extended: false,
        }
    }

    /// When to call [`Self::has_passed`].
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Whether the time is up. Extends the deadline instead if the process was suspended.
    pub(crate) fn has_passed(&mut self) -> bool {
        let now = Instant::now();
        if now < self.at || self.is_extended {
            return now >= self.at;
        }
        let ticks = self.ticks.load(Ordering::Relaxed) - self.first_tick;
        let was_suspended = u128::from(ticks) < self.timeout.as_millis() / TICK.as_millis() / 2;
        if was_suspended {
            (self.at, self.is_extended) = (now + self.timeout, true);
        }
        !was_suspended
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn deadline() -> (Deadline, Arc<AtomicU64>) {
        let ticks = Arc::new(AtomicU64::new(7));
        (Deadline::new(SECOND, ticks.clone()), ticks)
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_passes_when_the_time_is_up() {
        let (mut deadline, ticks) = deadline();
        assert!(!deadline.has_passed());
        ticks.fetch_add(50, Ordering::Relaxed);
        advance(SECOND).await;
        assert!(deadline.has_passed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_extended_once_if_the_process_was_suspended() {
        let (mut deadline, ticks) = deadline();
        ticks.fetch_add(49, Ordering::Relaxed);
        advance(SECOND * 5).await;
        assert!(!deadline.has_passed());
        assert_eq!(deadline.at(), Instant::now() + SECOND);
        advance(SECOND).await;
        assert!(deadline.has_passed(), "once");
    }
}
