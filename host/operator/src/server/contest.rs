//! Objects that somebody else changes again and again: they are put back ever more rarely than that.
//!
//! Two controllers that insist on a field would otherwise write to the API server as fast as it answers, for ever.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use mcp_operator_core::manifest::{ManagedKind, Manifest};

/// How long it is remembered that an object was put back, and how long one that is contested is left alone.
pub(super) const WINDOW: Duration = Duration::from_mins(1);
/// How often an object is put back within that time.
const TIMES: u32 = 3;

/// What is done about an object that somebody changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is made as it should be again.
    PutBack,
    /// It is left alone for a while, and that is news.
    GiveWay,
    /// It is still left alone.
    StayAway,
}

/// How often objects were put back lately.
#[derive(Default)]
pub(super) struct Contests(Mutex<HashMap<Key, Contest>>);

type Key = (ManagedKind, String, String);

struct Contest {
    began: Instant,
    changes: u32,
}

impl Contests {
    /// Somebody changed an object that was as it should be.
    pub(super) fn changed(&self, manifest: &Manifest, namespace: &str) -> Answer {
        let now = Instant::now();
        let mut contests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contests.retain(|_, contest| now.duration_since(contest.began) < WINDOW);
        let key = (
            manifest.kind,
            namespace.to_owned(),
            manifest.name().to_owned(),
        );
        let contest = contests.entry(key).or_insert(Contest {
            began: now,
            changes: 0,
        });
        contest.changes += 1;
        match contest.changes {
            ..=TIMES => Answer::PutBack,
            changes if changes == TIMES + 1 => {
                contest.began = now;
                Answer::GiveWay
            }
            _ => Answer::StayAway,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_insists_is_given_way_for_a_while() {
        let contests = Contests::default();
        let manifest = |name: &str| Manifest {
            kind: ManagedKind::Service,
            object: json!({ "metadata": { "name": name } }),
        };
        let changed = |name| contests.changed(&manifest(name), "tools");
        let answers: Vec<Answer> = (0..6).map(|_| changed("a")).collect();
        assert_eq!(answers[..3], [Answer::PutBack; 3]);
        assert_eq!(
            answers[3..],
            [Answer::GiveWay, Answer::StayAway, Answer::StayAway]
        );
        assert_eq!(changed("b"), Answer::PutBack);
        advance(WINDOW).await;
        assert_eq!(changed("a"), Answer::PutBack);
        assert_eq!(
            contests.0.lock().unwrap().len(),
            1,
            "the others are forgotten"
        );
    }
}
