//! When the next pass begins, if nothing changes before.

use std::time::Duration;

use jiff::Timestamp;
use mcp_operator_core::retry::{Classify, ErrorClass, retry_after};
use mcp_operator_runtime::jitter;

use crate::error::RegistrationError;
use crate::execute::ExecutionOutcome;
use crate::plan::PlannedRegistration;

/// Pause while something is on its way.
const FAST_POLL: Duration = Duration::from_secs(2);
/// Pause while something is on its way that makes no progress.
const SLOW_POLL: Duration = Duration::from_secs(20);
/// Polls until something is thought to make no progress: two minutes.
const FAST_POLLS: u32 = 60;

/// What a pass came to, as far as it decides when the next one begins.
#[derive(Debug, Default)]
pub(crate) struct PassResult {
    /// Everything is as it should be, and nothing is on its way.
    pub(crate) done: bool,
    /// What kind of error stopped the pass or some of its steps.
    pub(crate) failed: Option<ErrorClass>,
    /// Some steps were carried out.
    pub(crate) progressed: bool,
    /// Something is missing, and there is nothing to do and nothing on its way.
    pub(crate) no_progress: bool,
    /// When a grace period ends.
    pub(crate) recheck_at: Option<Timestamp>,
    /// How long a service wants no request.
    pub(crate) retry_after: Option<Duration>,
}

impl PassResult {
    pub(crate) fn done() -> Self {
        Self {
            done: true,
            ..Self::default()
        }
    }

    pub(crate) fn failed(error: &RegistrationError) -> Self {
        Self {
            failed: Some(error.class()),
            ..Self::default()
        }
    }

    /// After a plan was carried out.
    pub(crate) fn of(planned: &PlannedRegistration, outcome: &ExecutionOutcome) -> Self {
        let (is_idle, is_pending) = (planned.is_idle(), planned.plan.is_pending());
        let unanswered = planned
            .has_unanswered_reads()
            .then_some(ErrorClass::Transient);
        let failed = outcome.failed.iter().map(|(_, error)| error.class());
        Self {
            done: is_idle && !is_pending,
            failed: failed
                .chain(unanswered)
                .min_by_key(|class| retry_order(*class)),
            progressed: !outcome.done.is_empty(),
            no_progress: is_idle && is_pending,
            recheck_at: None,
            retry_after: planned.session.retry_after(),
        }
    }
}

/// Of several classes of errors, the one that is tried again first decides.
fn retry_order(class: ErrorClass) -> u8 {
    match class {
        ErrorClass::Conflict => 0,
        ErrorClass::Transient | ErrorClass::PluginGuest | ErrorClass::PluginHost => 1,
        ErrorClass::External => 2,
        ErrorClass::Terminal => 3,
    }
}

/// How many passes in a row failed, or found that not all was done.
#[derive(Debug, Default)]
pub(crate) struct Requeue {
    failures: u32,
    polls: u32,
}

impl Requeue {
    /// Counts a pass, and says how long to wait for a change until the next one begins anyway.
    pub(crate) fn after(&mut self, result: &PassResult, resync: Duration) -> Duration {
        self.failures = match result.failed {
            None => 0,
            Some(_) if result.progressed => 0,
            // While a service wants no request, nothing new is learned about it.
            Some(_) if result.retry_after.is_some() => self.failures.max(1),
            Some(_) => self.failures + 1,
        };
        self.polls = if result.done { 0 } else { self.polls + 1 };
        self.pause(result, resync)
    }

    fn pause(&self, result: &PassResult, resync: Duration) -> Duration {
        let retry = |class, attempt| retry_after(class, attempt, jitter()).unwrap_or(resync);
        let poll = if self.polls <= FAST_POLLS {
            FAST_POLL
        } else {
            SLOW_POLL
        };
        let pause = match result.failed {
            // What fails must not keep waiting what makes progress.
            Some(_) if result.progressed => poll,
            Some(class) => retry(class, self.failures),
            None if result.done => resync,
            None if result.no_progress => retry(ErrorClass::Transient, self.polls).min(SLOW_POLL),
            None => poll,
        };
        let pause = pause.max(result.retry_after.unwrap_or_default());
        // A moment later than the instant itself: otherwise the clock could say that it is still to come.
        let until = |at| remaining(at) + Duration::from_millis(100);
        result.recheck_at.map_or(pause, |at| pause.min(until(at)))
    }
}

/// From now until then; nothing if that is past.
pub(crate) fn remaining(until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESYNC: Duration = Duration::from_mins(1);

    fn pause(result: &PassResult, failures: u32, polls: u32) -> Duration {
        Requeue { failures, polls }.pause(result, RESYNC)
    }

    #[test]
    fn failures_are_retried_by_the_class_of_their_error() {
        let after = |failed, failures, polls| {
            let result = PassResult {
                failed,
                ..PassResult::default()
            };
            pause(&result, failures, polls)
        };
        assert_eq!(after(None, 0, 1), FAST_POLL);
        assert_eq!(after(None, 0, 61), SLOW_POLL);
        assert_eq!(after(Some(ErrorClass::Terminal), 1, 1), RESYNC);
        assert!(after(Some(ErrorClass::External), 1, 1) > Duration::from_secs(20));
        let transient = Some(ErrorClass::Transient);
        assert!(after(transient, 1, 1) < after(transient, 9, 9));
    }

    #[test]
    fn failures_do_not_slow_down_what_makes_progress() {
        let result = PassResult {
            failed: Some(ErrorClass::Terminal),
            progressed: true,
            ..PassResult::default()
        };
        assert_eq!(pause(&result, 0, 1), FAST_POLL);
    }

    #[test]
    fn a_service_gets_the_pause_that_it_asked_for() {
        let result = PassResult {
            failed: Some(ErrorClass::Transient),
            progressed: true,
            retry_after: Some(Duration::from_secs(30)),
            ..PassResult::default()
        };
        assert_eq!(pause(&result, 1, 1), Duration::from_secs(30));
    }

    /// As an answer that is no list of LiteLLM: nothing failed, and nothing is on its way.
    #[test]
    fn without_progress_polls_become_ever_slower() {
        let result = PassResult {
            no_progress: true,
            ..PassResult::default()
        };
        assert!(pause(&result, 0, 1) < FAST_POLL && pause(&result, 0, 5) > FAST_POLL);
        assert_eq!(pause(&result, 0, 50), SLOW_POLL);
    }

    #[test]
    fn the_end_of_a_grace_period_is_not_slept_through() {
        let result = PassResult {
            recheck_at: Some(Timestamp::now() + Duration::from_secs(5)),
            ..PassResult::done()
        };
        let pause = pause(&result, 0, 0);
        assert!(pause > Duration::from_secs(4) && pause < Duration::from_secs(6));
    }

    #[test]
    fn failures_are_counted_until_something_goes_well() {
        let failed = || PassResult {
            failed: Some(ErrorClass::Transient),
            ..PassResult::default()
        };
        let mut requeue = Requeue::default();
        for _ in 0..3 {
            requeue.after(&failed(), RESYNC);
        }
        assert_eq!((requeue.failures, requeue.polls), (3, 3));
        // It is not asked meanwhile, so that says nothing about it.
        let retry_after = Some(Duration::from_secs(1));
        let paused = PassResult {
            retry_after,
            ..failed()
        };
        requeue.after(&paused, RESYNC);
        assert_eq!(requeue.failures, 3);
        let progressed = PassResult {
            progressed: true,
            ..failed()
        };
        requeue.after(&progressed, RESYNC);
        assert_eq!((requeue.failures, requeue.polls), (0, 5));
        requeue.after(&PassResult::done(), RESYNC);
        assert_eq!((requeue.failures, requeue.polls), (0, 0));
    }
}
