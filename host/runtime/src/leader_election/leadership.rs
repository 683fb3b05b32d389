//! Whether this replica may write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

/// Until when this replica may write, and who wants to know. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Nanoseconds of [`uptime`]; 0: it may not.
    held_until: AtomicU64,
    is_leader: watch::Sender<bool>,
}

impl Leadership {
    /// Of a replica that has to be elected first.
    pub fn none() -> Self {
        Self::until(0)
    }

    /// Of one that is alone, and knows it.
    pub fn unelected() -> Self {
        Self::until(u64::MAX)
    }

    fn until(held_until: u64) -> Self {
        Self(Arc::new(Shared {
            held_until: AtomicU64::new(held_until),
            is_leader: watch::Sender::new(held_until > 0),
        }))
    }

    /// Whether this replica may write now, by the clock and not by what its tasks have noticed: a process that was stopped
    /// and goes on may not.
    pub fn is_held(&self) -> bool {
        let until = self.0.held_until.load(Ordering::Acquire);
        until == u64::MAX || uptime() < Duration::from_nanos(until)
    }

    /// Whether it is the leader, and when that changes.
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.0.is_leader.subscribe()
    }

    /// Waits until this replica is the leader.
    pub async fn acquired(&self) {
        // The sender is in this very value.
        let _ = self.changes().wait_for(|is_leader| *is_leader).await;
    }

    /// Until when it is held from now on. `true`: it was not, or is no longer.
    pub(super) fn set(&self, held_until: Option<Duration>) -> bool {
        let until = held_until.map_or(0, |until| {
            u64::try_from(until.as_nanos()).unwrap_or(u64::MAX - 1)
        });
        self.0.held_until.store(until, Ordering::Release);
        self.0
            .is_leader
            .send_if_modified(|known| std::mem::replace(known, until > 0) != (until > 0))
    }
}

/// Time since the machine started, also while it was suspended: no step of the clock changes it.
pub(super) fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clock_says_counts_before_anybody_notices() {
        let leadership = Leadership::none();
        let leader = leadership.changes();
        assert!(!leadership.is_held());
        assert!(leadership.set(Some(uptime() + Duration::from_hours(1))));
        assert!(leadership.is_held() && *leader.borrow());
        assert!(!leadership.set(Some(uptime())), "it is told later");
        assert!(!leadership.is_held(), "and is over now");
        assert!(leadership.set(None));
        assert!(!*leader.borrow());
        assert!(Leadership::unelected().is_held());
    }
}
