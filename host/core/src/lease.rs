//! Who may write: a leader election by a `Lease`, as client-go does it, without clocks and requests.
//!
//! Nobody's clock is compared with anybody else's. Who does not hold the lease measures how long it has not changed, and
//! takes it after its whole duration; who holds it stops writing after two thirds of that, counted from before the request
//! that renewed it last. The third between is for writes that are on their way.
//!
//! All times are what one clock says, that never steps and counts while the machine is suspended: the time since any start.

use std::time::Duration;

/// How long what lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseTiming {
    /// Others wait so long after the last renewal.
    pub duration: Duration,
}

impl LeaseTiming {
    /// Who could not renew it for so long writes no more.
    pub fn renew_deadline(self) -> Duration {
        self.duration * 2 / 3
    }

    /// From one renewal to the next, and from one failure to the next try.
    pub fn retry_period(self) -> Duration {
        self.duration * 2 / 15
    }
}

/// A `Lease` as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseRecord {
    /// Nobody's if it was released.
    pub holder: Option<String>,
    /// What its holder promised.
    pub duration: Duration,
    /// How often it has changed hands.
    pub transitions: i32,
    /// Its resource version.
    pub version: u64,
}

/// What to write, as it follows from what was seen: only if the lease has the same version still.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The version that is replaced; nothing if there is no lease.
    pub replaces: Option<u64>,
    /// How often it has changed hands then.
    pub transitions: i32,
    /// It is taken, and not only renewed.
    pub is_new: bool,
}

/// What a replica does next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LeaseStep {
    /// Write this.
    Write(Claim),
    /// Nothing before then, unless the lease changes.
    WaitUntil(Duration),
}

/// One replica's view of the election.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaderElection {
    identity: String,
    timing: LeaseTiming,
    seen: Option<Seen>,
    /// Until when this replica may write.
    held_until: Option<Duration>,
    next_try: Duration,
}

/// What was seen last, and since when it is so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    record: Option<LeaseRecord>,
    /// How long its holder may still write, whoever that is.
    duration: Duration,
    since: Duration,
}

impl LeaderElection {
    /// `identity` is this process' own: a container that starts again is another one.
    pub fn new(identity: String, timing: LeaseTiming) -> Self {
        Self {
            identity,
            timing,
            seen: None,
            held_until: None,
            next_try: Duration::ZERO,
        }
    }

    /// Takes in the lease as somebody has shown it at `now`; what is older than what is known counts for nothing.
    pub fn observe(&mut self, record: Option<LeaseRecord>, now: Duration) {
        let known = self.seen.as_ref().and_then(|seen| seen.record.as_ref());
        let is_news = match (&record, known) {
            (Some(record), Some(known)) => record.version > known.version,
            (None, None) => self.seen.is_none(),
            _ => true,
        };
        if is_news {
            self.take(record, now);
        }
    }

    /// Takes in the lease as the API server answered at `now` to somebody who asked after everything that is known had been
    /// seen. It counts also where it is older: etcd may have been restored from a backup.
    pub fn observe_answer(&mut self, record: Option<LeaseRecord>, now: Duration) {
        let known = self.seen.as_ref().map(|seen| seen.record.as_ref());
        if known != Some(record.as_ref()) {
            self.take(record, now);
        }
    }

    fn take(&mut self, record: Option<LeaseRecord>, now: Duration) {
        let known = self.seen.as_ref().and_then(|seen| seen.record.as_ref());
        // It was deleted: whoever had it may still write for a while.
        let before = known.map_or(Duration::ZERO, |known| known.duration);
        let duration = record.as_ref().map_or(before, |record| record.duration);
        if record.as_ref().is_some_and(|it| !self.is_mine(it)) {
            self.held_until = None;
            self.next_try = Duration::ZERO;
        }
        self.seen = Some(Seen {
            record,
            duration,
            since: now,
        });
    }

    /// What to do at `now`. Before the lease was observed once, nothing.
    pub fn next(&self, now: Duration) -> LeaseStep {
        let Some(seen) = &self.seen else {
            return LeaseStep::WaitUntil(now + self.timing.retry_period());
        };
        let due = self.next_try.max(self.free_at(seen));
        if now < due {
            return LeaseStep::WaitUntil(due);
        }
        let is_mine = seen.record.as_ref().is_some_and(|it| self.is_mine(it));
        let transitions = seen.record.as_ref().map_or(0, |it| it.transitions);
        LeaseStep::Write(Claim {
            replaces: seen.record.as_ref().map(|it| it.version),
            transitions: if is_mine || seen.record.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            },
            is_new: self.held_until.is_none(),
        })
    }

    /// When nobody else may write any more.
    fn free_at(&self, seen: &Seen) -> Duration {
        let is_free = self.held_until.is_some()
            || match &seen.record {
                Some(record) => record.holder.is_none() || self.is_mine(record),
                None => seen.duration.is_zero(),
            };
        if is_free {
            Duration::ZERO
        } else {
            seen.since + seen.duration
        }
    }

    /// A claim was written by a request that began at `sent`, and this is the answer.
    pub fn written(&mut self, record: LeaseRecord, sent: Duration) {
        let is_newest = {
            let known = self.seen.as_ref().and_then(|seen| seen.record.as_ref());
            known.is_none_or(|known| record.version >= known.version)
        };
        self.next_try = sent + self.timing.retry_period();
        if is_newest {
            self.held_until = Some(sent + self.timing.renew_deadline());
            self.seen = Some(Seen {
                duration: record.duration,
                record: Some(record),
                since: sent,
            });
        }
    }

    /// A claim could not be written, or nobody knows whether it was.
    pub fn failed(&mut self, now: Duration) {
        self.next_try = now + self.timing.retry_period();
    }

    /// Gives up what is held when its time is over.
    pub fn expire(&mut self, now: Duration) {
        self.held_until = self.held_until.filter(|until| now < *until);
    }

    /// Until when this replica may write.
    pub fn held_until(&self) -> Option<Duration> {
        self.held_until
    }

    /// The version that is given back at the end, if it is held.
    pub fn to_release(&self) -> Option<&LeaseRecord> {
        let record = self.seen.as_ref()?.record.as_ref()?;
        self.is_mine(record).then_some(record)
    }

    /// Who holds it, as far as is known.
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref()?.record.as_ref()?.holder.as_deref()
    }

    fn is_mine(&self, record: &LeaseRecord) -> bool {
        record.holder.as_ref() == Some(&self.identity)
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "lease_exploration_tests.rs"]
mod exploration_tests;
