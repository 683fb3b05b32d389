//! When a call has had its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::ticker::TICK;

/// When a call has had its time.
///
/// Where this process stood still for most of it (a machine that was suspended, a processor that was taken away), the time
/// is given once more: the guest is not to blame, and whoever asks for a judgement should get one.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    time: Duration,
    ticks: Arc<AtomicU64>,
    began: u64,
    is_last: bool,
}

impl Deadline {
    /// For a call that begins now.
    pub(crate) fn new(time: Duration, ticks: Arc<AtomicU64>) -> Self {
        Self {
            at: Instant::now() + time,
            time,
            began: ticks.load(Ordering::Relaxed),
            ticks,
            is_last: false,
        }
    }

    /// When to look.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Whether the time is up now.
    pub(crate) fn has_passed(&mut self) -> bool {
        let now = Instant::now();
        if now < self.at || self.is_last {
            return now >= self.at;
        }
        let ticks = self.ticks.load(Ordering::Relaxed) - self.began;
        let stood_still = u128::from(ticks) < self.time.as_millis() / TICK.as_millis() / 2;
        if stood_still {
            (self.at, self.is_last) = (now + self.time, true);
        }
        !stood_still
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
    async fn it_passes_when_the_time_is_up() {
        let (mut deadline, ticks) = deadline();
        assert!(!deadline.has_passed());
        ticks.fetch_add(50, Ordering::Relaxed);
        advance(SECOND).await;
        assert!(deadline.has_passed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_in_which_nothing_ran_is_given_once_more() {
        let (mut deadline, ticks) = deadline();
        ticks.fetch_add(49, Ordering::Relaxed);
        advance(SECOND * 5).await;
        assert!(!deadline.has_passed());
        assert_eq!(deadline.at(), Instant::now() + SECOND);
        advance(SECOND).await;
        assert!(deadline.has_passed(), "once");
    }
}
