//! Detects when another controller fights with this one over a field of an object.
//!
//! Two controllers that both insist on a field would otherwise write to the API server as fast as it answers, for ever.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use mcp_operator_core::manifest::{ManagedKind, Manifest};

/// How long drift of an object is counted, and how long an object that is fought over is left alone.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);
/// How often an object is applied again within that time.
const REAPPLIES: u32 = 3;

/// What to do about an object that somebody changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Apply it again.
    Reapply,
    /// Leave it alone for a while, from now on.
    BackOff,
    /// It is still left alone.
    StillBackingOff,
}

/// Counts how often objects drifted lately.
#[derive(Default)]
pub(crate) struct FightDetector(Mutex<HashMap<Key, Fight>>);

type Key = (ManagedKind, String, String);

struct Fight {
    began: Instant,
    changes: u32,
}

impl FightDetector {
    /// Records that somebody changed an object that was as it should be.
    pub(crate) fn record_drift(&self, manifest: &Manifest) -> Verdict {
        let now = Instant::now();
        let mut fights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fights.retain(|_, fight| now.duration_since(fight.began) < WINDOW);
        let fight = fights.entry(key(manifest)).or_insert(Fight {
            began: now,
            changes: 0,
        });
        fight.changes += 1;
        match fight.changes {
            ..=REAPPLIES => Verdict::Reapply,
            changes if changes == REAPPLIES + 1 => {
                fight.began = now;
                Verdict::BackOff
            }
            _ => Verdict::StillBackingOff,
        }
    }

    /// Takes back what was recorded last: the object could not be put back, so that the next reconcile finds the same drift.
    pub(crate) fn retract_drift(&self, manifest: &Manifest) {
        let mut fights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fight) = fights.get_mut(&key(manifest)) {
            fight.changes = fight.changes.saturating_sub(1);
        }
    }
}

fn key(manifest: &Manifest) -> Key {
    (
        manifest.kind,
        manifest.namespace().to_owned(),
        manifest.name().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_object_that_is_fought_over_is_left_alone_for_a_while() {
        let fights = FightDetector::default();
        let manifest = |name: &str| Manifest {
            kind: ManagedKind::Service,
            object: json!({ "metadata": { "name": name, "namespace": "tools" } }),
        };
        let changed = |name| fights.record_drift(&manifest(name));
        let answers: Vec<Verdict> = (0..6).map(|_| changed("a")).collect();
        assert_eq!(answers[..3], [Verdict::Reapply; 3]);
        assert_eq!(
            answers[3..],
            [
                Verdict::BackOff,
                Verdict::StillBackingOff,
                Verdict::StillBackingOff
            ]
        );
        assert_eq!(changed("b"), Verdict::Reapply);
        advance(WINDOW).await;
        assert_eq!(changed("a"), Verdict::Reapply);
        assert_eq!(
            fights.0.lock().unwrap().len(),
            1,
            "the others are forgotten"
        );
    }
}
