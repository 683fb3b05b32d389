//! When the next pass over a server comes, if nothing wakes it before.

use std::time::Duration;

use mcp_operator_core::retry::ErrorClass;
use mcp_operator_core::rollout::Rollout;

use super::contest;

/// A pass without any event in between: watches can miss what they do not know of.
const HEARTBEAT: Duration = Duration::from_hours(1);

/// While pods are on their way, and when the status of new ones is looked at if nothing is heard of them before.
pub(super) const WAITING: Duration = Duration::from_secs(10);

/// After a refusal that nothing but a change seems to mend. The change may be somebody else's, of which nobody tells us: a
/// policy that goes, a webhook that is mended.
const REFUSED: Duration = Duration::from_mins(5);

/// After a pass that nothing stopped. `jitter`, from 0.0 to 1.0, spreads what would come together.
pub(super) fn after_success(contested: bool, rollout: Option<&Rollout>, jitter: f64) -> Duration {
    match rollout {
        _ if contested => contest::WINDOW,
        Some(rollout) if !rollout.complete() => WAITING,
        _ => spread(HEARTBEAT, jitter),
    }
}

/// After a failure. `retry`: when its class wants to try again.
pub(super) fn after_failure(retry: Option<Duration>, jitter: f64) -> Duration {
    retry.unwrap_or_else(|| spread(REFUSED, jitter))
}

/// Longest that a pass takes whose failure is not worth telling: it is soon known whether the next one fails too.
const SHORT: Duration = Duration::from_secs(3);

/// Whether a failure shows in the status, or first has to happen again. `took`: how long the pass was.
///
/// A hiccup of the API server or a moment of too much work is over with the next pass: to tell it would be two writes for
/// each server, at the worst time.
pub(super) fn is_told(class: ErrorClass, is_first: bool, took: Duration) -> bool {
    !(class.may_pass() && is_first && took <= SHORT)
}

/// A tenth before and after that.
fn spread(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(0.9 + jitter / 5.0)
}

#[cfg(test)]
mod tests {
    use mcp_operator_core::retry::retry_after;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_that_is_well_is_looked_at_once_an_hour_and_one_on_its_way_every_ten_seconds() {
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

    /// A policy that goes tells nobody: an hour would be too long, and seconds would be thousands of vain writes.
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
            let pause = |attempt| after_failure(retry_after(class, attempt, 0.5), 0.5).as_millis();
            assert_eq!((pause(1), pause(20)), (first, later), "{class:?}");
        }
        assert_eq!(after_failure(None, 0.0).as_secs(), 270);
        assert_eq!(after_failure(None, 1.0).as_secs(), 330);
    }

    #[test]
    fn what_may_pass_is_told_when_it_happens_again_and_what_was_slow_at_once() {
        let told =
            |class, is_first, seconds| is_told(class, is_first, Duration::from_secs(seconds));
        for class in [
            ErrorClass::Conflict,
            ErrorClass::Transient,
            ErrorClass::PluginHost,
        ] {
            assert!(!told(class, true, 1), "{class:?}");
            assert!(told(class, false, 1) && told(class, true, 10), "{class:?}");
        }
        for class in [
            ErrorClass::Terminal,
            ErrorClass::External,
            ErrorClass::PluginGuest,
        ] {
            assert!(told(class, true, 0), "{class:?}");
        }
    }
}
