//! What is known of one MCPPlugin, and when it is tried again.

use std::sync::Arc;
use std::time::Duration;

use mcp_operator_api::v1alpha1::McpPluginStatus;
use mcp_operator_core::retry::{ErrorClass, retry_after};
use tokio::time::Instant;

use super::activate::{ActivePlugin, Rejection, Version};
use super::attempt::Attempt;

/// What is known of one MCPPlugin.
#[derive(Default)]
pub(super) struct Entry {
    /// Which object it is: one that is deleted and made again is another.
    uid: String,
    /// What was tried last.
    tried: Option<Version>,
    pub(super) active: Option<Arc<ActivePlugin>>,
    pub(super) rejection: Option<Rejection>,
    /// Number of the attempt that is going on.
    trying: Option<u64>,
    /// Something changed while it was being tried.
    again: bool,
    /// It was tried, and what kept it from being put into force is not ours.
    settled: bool,
    failures: u32,
    retry_at: Option<Instant>,
    /// The status that was told last: the watch may not have shown it yet.
    pub(super) told: Option<McpPluginStatus>,
}

impl Entry {
    pub(super) fn new(uid: String) -> Self {
        Self {
            uid,
            ..Self::default()
        }
    }

    pub(super) fn uid(&self) -> &str {
        &self.uid
    }

    /// Begins an attempt, unless one is going on; that one will be followed by another.
    pub(super) fn begin(&mut self, number: u64, now: Instant) -> Option<Begun> {
        if self.trying.is_some() {
            self.again = true;
            return None;
        }
        self.trying = Some(number);
        // What failed for reasons of ours is tried again although nobody changed anything, when its time has come.
        let is_due = self.retry_at.is_some_and(|at| at <= now);
        Some(Begun {
            tried: self.tried.clone().filter(|_| !is_due),
            nothing_in_force: self.active.is_none(),
        })
    }

    /// Takes the result of an attempt. False: it is of an object that is gone.
    pub(super) fn end(&mut self, number: u64, result: Attempt, now: Instant, jitter: f64) -> bool {
        if self.trying != Some(number) {
            return false;
        }
        self.trying = None;
        match result {
            Attempt::Unchanged => {}
            Attempt::InForce(version, active) => {
                self.tried = Some(version);
                self.active = Some(Arc::from(active));
                self.rejection = None;
                self.failures = 0;
                self.retry_at = None;
                self.settled = true;
            }
            Attempt::Rejected {
                version,
                why,
                last_good,
            } => {
                self.failures = if self.tried == version {
                    self.failures + 1
                } else {
                    1
                };
                self.tried = version;
                self.retry_at = pause(&why, self.failures, jitter).map(|pause| now + pause);
                if let Some(last_good) = last_good {
                    self.active = Some(Arc::from(last_good));
                }
                // At the start, requests are not judged without a plugin that only we cannot run.
                self.settled |= !why.ours || self.active.is_some();
                self.rejection = Some(why);
            }
        }
        true
    }

    /// Whether something changed while it was being tried; asked once.
    pub(super) fn take_again(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }

    /// It cannot even be read: what is in force stays.
    pub(super) fn settle(&mut self) {
        self.settled = true;
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// When it has to be tried again by itself.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| self.trying.is_none())
    }
}

/// What an attempt has to know.
pub(super) struct Begun {
    /// What need not be tried again.
    pub(super) tried: Option<Version>,
    /// So the component of an earlier run is better than none.
    pub(super) nothing_in_force: bool,
}

fn pause(why: &Rejection, failures: u32, jitter: f64) -> Option<Duration> {
    why.retry
        .then(|| retry_after(ErrorClass::PluginHost, failures, jitter))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: f64 = 0.5;

    fn rejected(digest: &str, ours: bool, retry: bool) -> Attempt {
        Attempt::Rejected {
            version: Some(Version::of(digest)),
            why: Rejection {
                category: "Overloaded",
                message: "it waited".into(),
                ours,
                retry,
            },
            last_good: None,
        }
    }

    #[tokio::test]
    async fn what_failed_by_our_fault_is_tried_again_ever_more_slowly() {
        let mut now = Instant::now();
        let mut entry = Entry::new("1".into());
        let mut pauses = Vec::new();
        for number in 0..4 {
            let begun = entry.begin(number, now).unwrap();
            assert!(begun.tried.is_none(), "the same version is tried again");
            assert!(entry.end(number, rejected("a", true, true), now, HALF));
            assert!(!entry.is_settled());
            let next = entry.retry_at().unwrap();
            pauses.push(next - now);
            now = next;
        }
        assert!(
            pauses.windows(2).all(|pair| pair[0] < pair[1]),
            "{pauses:?}"
        );
        // Before its time, only another version is tried.
        let early = entry.begin(9, now - Duration::from_millis(1)).unwrap();
        assert_eq!(early.tried, Some(Version::of("a")));
        assert!(entry.end(9, Attempt::Unchanged, now, HALF));
        assert!(entry.retry_at().is_some(), "and it is still due");
    }

    #[tokio::test]
    async fn what_is_the_components_fault_waits_for_a_change() {
        let now = Instant::now();
        let mut entry = Entry::new("1".into());
        entry.begin(0, now).unwrap();
        assert!(entry.end(0, rejected("a", false, false), now, HALF));
        assert!(entry.is_settled());
        assert_eq!(entry.retry_at(), None);
        let begun = entry.begin(1, now).unwrap();
        assert_eq!(begun.tried, Some(Version::of("a")));
    }

    #[tokio::test]
    async fn a_result_for_an_object_that_is_gone_is_dropped() {
        let now = Instant::now();
        let mut entry = Entry::new("2".into());
        entry.begin(8, now).unwrap();
        assert!(!entry.end(7, rejected("a", false, false), now, HALF));
        assert!(entry.rejection.is_none());
        assert!(entry.end(8, rejected("b", false, false), now, HALF));
    }

    #[tokio::test]
    async fn a_change_during_an_attempt_is_not_lost() {
        let now = Instant::now();
        let mut entry = Entry::new("1".into());
        entry.begin(0, now).unwrap();
        assert!(entry.begin(1, now).is_none());
        entry.end(0, Attempt::Unchanged, now, HALF);
        assert!(entry.take_again());
        assert!(!entry.take_again());
    }
}
