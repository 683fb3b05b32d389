//! When to try again.

use std::time::Duration;

use jiff::Timestamp;

/// What kind of error it is: decides whether and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ErrorClass {
    /// To try again at once would not help: the API server finds an object invalid, or a policy of somebody does.
    Terminal,
    /// Somebody else was quicker: try again at once.
    Conflict,
    /// The API server or the network failed: try again, ever more slowly.
    Transient,
    /// Somebody else must mend something: a permission that is missing, a foreign object in the way, an API that is not
    /// there.
    External,
    /// A plugin failed by its own fault: a new version or other settings may help.
    PluginGuest,
    /// A plugin could not be run by our fault.
    PluginHost,
}

impl ErrorClass {
    /// Whether it is often over when it is tried again at once, so that nobody has to hear of a first one.
    pub fn may_pass(self) -> bool {
        match self {
            Self::Conflict | Self::Transient | Self::PluginHost => true,
            Self::Terminal | Self::External | Self::PluginGuest => false,
        }
    }
}

const CONFLICT: Duration = Duration::from_millis(200);
const FIRST: Duration = Duration::from_millis(500);
const SLOWEST: Duration = Duration::from_mins(1);
const EXTERNAL: Duration = Duration::from_secs(30);

/// When to try again after the `attempt`th failure in a row, counted from 1. `jitter`, from 0.0 to
/// 1.0, spreads what failed together. Nothing: wait for a change.
pub fn retry_after(class: ErrorClass, attempt: u32, jitter: f64) -> Option<Duration> {
    let pause = match class {
        ErrorClass::Terminal => return None,
        ErrorClass::Conflict if attempt <= 3 => CONFLICT,
        ErrorClass::External => EXTERNAL,
        ErrorClass::Conflict
        | ErrorClass::Transient
        | ErrorClass::PluginGuest
        | ErrorClass::PluginHost => FIRST
            .saturating_mul(
                1_u32
                    .checked_shl(attempt.saturating_sub(1))
                    .unwrap_or(u32::MAX),
            )
            .min(SLOWEST),
    };
    Some(pause.mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 2.0))
}

/// No service is waited for longer than this, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// How long an HTTP service wants to be left alone: its header `Retry-After`, seconds or a date.
pub fn retry_after_header(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        let at = parser.parse_timestamp(value).ok()?;
        Duration::try_from(at.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
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
            // Who is quicker three times in a row is no accident.
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

    /// Otherwise a status would say nothing for as long as nobody tries again.
    #[test]
    fn what_may_pass_is_tried_again_within_a_second() {
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
                !class.may_pass() || again.is_some_and(|pause| pause < Duration::from_secs(1)),
                "{class:?}"
            );
        }
    }

    #[test]
    fn transient_errors_are_tried_ever_more_slowly() {
        let pauses: Vec<_> = (1..9)
            .filter_map(|attempt| retry_after(ErrorClass::Transient, attempt, 0.5))
            .collect();
        assert_eq!(pauses[0], Duration::from_millis(500));
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses.last(), Some(&SLOWEST));
    }

    #[test]
    fn a_service_says_when_it_wants_to_be_asked_again() {
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
        fn no_pause_is_absurd(attempt in any::<u32>(), jitter in -1.0..2.0) {
            for class in [ErrorClass::Conflict, ErrorClass::Transient, ErrorClass::External, ErrorClass::PluginHost] {
                let pause = retry_after(class, attempt, jitter).unwrap();
                prop_assert!(pause >= Duration::from_millis(100) && pause <= SLOWEST * 5 / 4);
            }
        }
    }
}
