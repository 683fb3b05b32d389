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
    term: watch::Sender<Term>,
}

/// One time of leading, or of not leading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Term {
    /// How often this replica has begun to lead. Whoever looks only now and then sees by it that a term has ended, although
    /// another has begun since.
    number: u64,
    is_leader: bool,
}

impl Term {
    /// Whether the replica leads.
    pub fn is_leader(self) -> bool {
        self.is_leader
    }
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
            term: watch::Sender::new(Term {
                number: 0,
                is_leader: held_until > 0,
            }),
        }))
    }

    /// Whether this replica may write now, by the clock and not by what its tasks have noticed: a process that was stopped
    /// and goes on may not.
    pub fn is_held(&self) -> bool {
        let until = self.0.held_until.load(Ordering::Acquire);
        until == u64::MAX || uptime() < Duration::from_nanos(until)
    }

    /// Whether it is the leader, and when that changes.
    pub fn changes(&self) -> watch::Receiver<Term> {
        self.0.term.subscribe()
    }

    /// Waits until this replica is the leader.
    pub async fn acquired(&self) -> Term {
        let mut changes = self.changes();
        let acquired = changes.wait_for(|term| term.is_leader).await;
        // The sender is in this very value.
        acquired.map(|term| *term).unwrap_or_default()
    }

    /// Waits until a term is over.
    pub async fn ended(&self, term: Term) {
        let _ = self.changes().wait_for(|now| *now != term).await;
    }

    /// Until when it is held from now on. `true`: it was not, or is no longer.
    pub(super) fn set(&self, held_until: Option<Duration>) -> bool {
        let until = held_until.map_or(0, |until| {
            u64::try_from(until.as_nanos()).unwrap_or(u64::MAX - 1)
        });
        self.0.held_until.store(until, Ordering::Release);
        self.0.term.send_if_modified(|term| {
            let is_leader = until > 0;
            term.number += u64::from(is_leader && !term.is_leader);
            std::mem::replace(&mut term.is_leader, is_leader) != is_leader
        })
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
        assert!(leadership.is_held() && leader.borrow().is_leader());
        assert!(!leadership.set(Some(uptime())), "it is told later");
        assert!(!leadership.is_held(), "and is over now");
        assert!(leadership.set(None));
        assert!(!leader.borrow().is_leader());
        assert!(Leadership::unelected().is_held());
    }

    #[tokio::test]
    async fn a_term_has_ended_although_another_has_begun() {
        let leadership = Leadership::none();
        let lead = || leadership.set(Some(uptime() + Duration::from_hours(1)));
        lead();
        let first = leadership.acquired().await;
        lead();
        assert_eq!(leadership.acquired().await, first, "renewed");
        leadership.set(None);
        lead();
        leadership.ended(first).await;
        assert_ne!(leadership.acquired().await, first);
    }
}
