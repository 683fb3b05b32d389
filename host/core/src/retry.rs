//! When to try again.

use std::time::Duration;

use jiff::Timestamp;

/// The kind of an error. It decides whether and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ErrorClass {
    /// Only a change can help: the API server, or the policy of somebody, rejects an object.
    Terminal,
    /// Somebody else has changed the object in between: try again at once.
    Conflict,
    /// The API server or the network failed: try again with exponential backoff.
    Transient,
    /// Somebody must change something in the cluster: a missing permission, a foreign object of the same name, an API that is
    /// not installed.
    External,
    /// A plugin failed by its own fault: another version or other settings may help.
    PluginGuest,
    /// A plugin could not be run by the operator's fault, or is not loaded: once it is, everything is looked at again.
    PluginHost,
}

impl ErrorClass {
    /// Whether such an error is often gone at the next attempt, so that the first one need not be reported.
    pub fn may_resolve_itself(self) -> bool {
        match self {
            Self::Conflict | Self::Transient | Self::PluginHost => true,
            Self::Terminal | Self::External | Self::PluginGuest => false,
        }
    }
}

/// What every error of the operator says about itself, so that retries, conditions, events, metrics and logs treat the
/// same failure alike.
pub trait Classify: std::error::Error {
    /// Whether and when to try again.
    fn class(&self) -> ErrorClass;

    /// A CamelCase word: the reason of a condition or an event, the label of a metric, the field `category` of a log.
    fn category(&self) -> &'static str;
}

const CONFLICT_RETRY: Duration = Duration::from_millis(200);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const MAX_RETRY: Duration = Duration::from_mins(1);
const EXTERNAL_RETRY: Duration = Duration::from_secs(30);

/// How long to wait after the `attempt`th failure in a row, counted from 1. `jitter`, from 0.0 to 1.0, spreads the retries of
/// what failed together. None: wait for a change.
pub fn retry_after(class: ErrorClass, attempt: u32, jitter: f64) -> Option<Duration> {
    let pause = match class {
        ErrorClass::Terminal => return None,
        ErrorClass::Conflict if attempt <= 3 => CONFLICT_RETRY,
        ErrorClass::External => EXTERNAL_RETRY,
        ErrorClass::Conflict
        | ErrorClass::Transient
        | ErrorClass::PluginGuest
        | ErrorClass::PluginHost => FIRST_RETRY
            .saturating_mul(
                1_u32
                    .checked_shl(attempt.saturating_sub(1))
                    .unwrap_or(u32::MAX),
            )
            .min(MAX_RETRY),
    };
    Some(pause.mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 2.0))
}

/// Upper bound of what a service can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// How long an HTTP service asks to wait in its header `Retry-After`: seconds or a date.
pub fn retry_after_header(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        let at = parser.parse_timestamp(value).ok()?;
        // The date may lie in the past.
        Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_class_decides_how_soon_and_how_often() {
        use ErrorClass::{Conflict, External, PluginGuest, PluginHost, Terminal, Transient};
        let milliseconds = |class, attempt, jitter| {
            retry_after(class, attempt, jitter).map(|pause| pause.as_millis())
        };
        for (class, pauses) in [
            (Terminal, [None; 5]),
            // The fourth conflict in a row is no coincidence: another controller changes the same object.
            (Conflict, [200, 200, 4_000, 8_000, 60_000].map(Some)),
            (External, [30_000; 5].map(Some)),
            (Transient, [500, 1_000, 4_000, 8_000, 60_000].map(Some)),
            (PluginGuest, [500, 1_000, 4_000, 8_000, 60_000].map(Some)),
            (PluginHost, [500, 1_000, 4_000, 8_000, 60_000].map(Some)),
        ] {
            let found = [1, 2, 4, 5, 100].map(|attempt| milliseconds(class, attempt, 0.5));
            assert_eq!(found, pauses, "{class:?}");
            // What failed together comes back within a quarter before and after that.
            for (jitter, share) in [(0.0, 75), (1.0, 125)] {
                let spread = milliseconds(class, 100, jitter);
                let middle = milliseconds(class, 100, 0.5);
                assert_eq!(
                    spread,
                    middle.map(|middle| middle * share / 100),
                    "{class:?}"
                );
            }
        }
    }

    /// Until then a first failure is not in the status.
    #[test]
    fn what_may_resolve_itself_is_retried_within_a_second() {
        use ErrorClass::{Conflict, External, PluginGuest, PluginHost, Terminal, Transient};
        for class in [
            Conflict,
            External,
            PluginGuest,
            PluginHost,
            Terminal,
            Transient,
        ] {
            let again = retry_after(class, 1, 1.0);
            assert!(
                !class.may_resolve_itself()
                    || again.is_some_and(|pause| pause < Duration::from_secs(1)),
                "{class:?}"
            );
        }
    }

    #[test]
    fn transient_errors_are_retried_with_backoff() {
        let pauses: Vec<_> = (1..9)
            .filter_map(|attempt| retry_after(ErrorClass::Transient, attempt, 0.5))
            .collect();
        assert_eq!(pauses[0], Duration::from_millis(500));
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses.last(), Some(&MAX_RETRY));
    }

    #[test]
    fn a_service_decides_how_long_to_wait() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let wait = |value| retry_after_header(value, now).map(|wait| wait.as_secs());
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait("Thu, 01 Jan 2026 00:01:00 GMT"), Some(60));
        assert_eq!(wait("Wed, 31 Dec 2025 00:01:00 GMT"), Some(0));
        assert_eq!(wait("86400"), Some(600));
        assert_eq!(wait("soon"), None);
    }

    proptest! {
        #[test]
        fn every_pause_is_within_bounds(attempt in any::<u32>(), jitter in -1.0..2.0) {
            for class in [ErrorClass::Conflict, ErrorClass::Transient, ErrorClass::External, ErrorClass::PluginHost] {
                let pause = retry_after(class, attempt, jitter).unwrap();
                prop_assert!(pause >= Duration::from_millis(100) && pause <= MAX_RETRY * 5 / 4);
            }
        }
    }
}
