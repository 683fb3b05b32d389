//! Conditions: made, compared and carried over.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Longest message that the API takes.
const LONGEST_MESSAGE: usize = 32_768;

/// What a condition should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Type of the condition.
    pub kind: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: Truth,
    /// Stable CamelCase word.
    pub reason: String,
    /// Sentence for people.
    pub message: String,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// It is not known, or on its way.
    Unknown,
}

impl Truth {
    /// As in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl Statement {
    /// Makes a statement.
    pub fn new(
        kind: &'static str,
        status: Truth,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            status,
            reason: reason.into(),
            message: message.into(),
        }
    }

    /// The condition, with the time of the transition carried over where there was none.
    pub fn condition(
        &self,
        previous: &[Condition],
        generation: Option<i64>,
        now: Timestamp,
    ) -> Condition {
        let since = find(previous, self.kind)
            .filter(|condition| condition.status == self.status.as_str())
            .map_or(Time(now), |condition| {
                condition.last_transition_time.clone()
            });
        let mut message = self.message.clone();
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        Condition {
            type_: self.kind.into(),
            status: self.status.as_str().into(),
            reason: if self.reason.is_empty() {
                "Unspecified".into()
            } else {
                self.reason.clone()
            },
            message,
            observed_generation: generation,
            last_transition_time: since,
        }
    }
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether the condition of a type is there and `True`.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == "True")
}

/// Whether all of `new` are in `old`, whatever their times are.
pub fn contained(new: &[Condition], old: &[Condition]) -> bool {
    new.iter().all(|condition| {
        find(old, &condition.type_).is_some_and(|previous| {
            let timeless = Condition {
                last_transition_time: previous.last_transition_time.clone(),
                ..condition.clone()
            };
            timeless == *previous
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn time_moves_only_with_the_status() {
        let ready = |status, message: &str| Statement::new("Ready", status, "R", message);
        let first = ready(Truth::False, "a").condition(&[], Some(1), at(10));
        let same =
            ready(Truth::False, "b").condition(std::slice::from_ref(&first), Some(1), at(20));
        assert_eq!(
            (same.last_transition_time.0, same.message.as_str()),
            (at(10), "b")
        );
        let other = ready(Truth::True, "b").condition(&[same], Some(1), at(30));
        assert_eq!(other.last_transition_time.0, at(30));
    }

    #[test]
    fn conditions_of_others_do_not_count() {
        let ours = Statement::new("Ready", Truth::True, "R", "").condition(&[], None, at(1));
        let theirs = Statement::new("Other", Truth::True, "R", "").condition(&[], None, at(1));
        let later = Statement::new("Ready", Truth::True, "R", "").condition(&[], None, at(9));
        assert!(contained(&[later], &[theirs, ours.clone()]));
        let changed = Condition {
            message: "new".into(),
            ..ours.clone()
        };
        assert!(!contained(&[changed], &[ours]));
    }
}
