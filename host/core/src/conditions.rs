//! Conditions of all resources: drafted without a time, given one, and compared.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use mcp_operator_api::names::conditions::{RECONCILING, STALLED};

/// How many bytes a message may have, by the schema of conditions.
const MAX_MESSAGE_BYTES: usize = 32_768;

/// A condition before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionDraft {
    /// The type of the condition.
    pub kind: &'static str,
    pub status: ConditionStatus,
    /// Stable CamelCase word.
    pub reason: String,
    /// Sentence for people.
    pub message: String,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    True,
    False,
    /// It cannot be known, or is being worked on.
    Unknown,
}

impl ConditionStatus {
    /// As in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl ConditionDraft {
    /// A condition of this type.
    pub fn new(
        kind: &'static str,
        status: ConditionStatus,
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

    /// What kstatus goes by while something is not ready: that it is on its way, or that it will not come to be so by itself.
    pub fn progress(ready: &Self, is_stalled: bool) -> Option<Self> {
        let kind = if is_stalled { STALLED } else { RECONCILING };
        (ready.status != ConditionStatus::True).then(|| {
            Self::new(
                kind,
                ConditionStatus::True,
                ready.reason.clone(),
                ready.message.clone(),
            )
        })
    }

    /// What an existing condition says.
    pub fn of(kind: &'static str, condition: &Condition) -> Self {
        let status = match condition.status.as_str() {
            "True" => ConditionStatus::True,
            "False" => ConditionStatus::False,
            _ => ConditionStatus::Unknown,
        };
        Self::new(
            kind,
            status,
            condition.reason.clone(),
            condition.message.clone(),
        )
    }

    /// The condition as it is written: with the time of the last transition, which stays that of the previous condition
    /// unless the status differs.
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
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
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

/// Whether writing `new` over `old` would change nothing but times. What `old` holds besides belongs to other writers.
pub fn unchanged(new: &[Condition], old: &[Condition]) -> bool {
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
        let ready = |status, message: &str| ConditionDraft::new("Ready", status, "R", message);
        let first = ready(ConditionStatus::False, "a").condition(&[], Some(1), at(10));
        let same = ready(ConditionStatus::False, "b").condition(
            std::slice::from_ref(&first),
            Some(1),
            at(20),
        );
        assert_eq!(
            (same.last_transition_time.0, same.message.as_str()),
            (at(10), "b")
        );
        let other = ready(ConditionStatus::True, "b").condition(&[same], Some(1), at(30));
        assert_eq!(other.last_transition_time.0, at(30));
    }

    #[test]
    fn conditions_of_others_do_not_count() {
        let ours = ConditionDraft::new("Ready", ConditionStatus::True, "R", "").condition(
            &[],
            None,
            at(1),
        );
        let theirs = ConditionDraft::new("Other", ConditionStatus::True, "R", "").condition(
            &[],
            None,
            at(1),
        );
        let later = ConditionDraft::new("Ready", ConditionStatus::True, "R", "").condition(
            &[],
            None,
            at(9),
        );
        assert!(unchanged(&[later], &[theirs, ours.clone()]));
        let changed = Condition {
            message: "new".into(),
            ..ours.clone()
        };
        assert!(!unchanged(&[changed], &[ours]));
    }
}
