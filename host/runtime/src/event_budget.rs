//! How many events there may be about one object: as client-go bounds them, so that an object that flips its state all the
//! time does not fill the API server with them.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use tokio::time::Instant;

/// Events about an object that may come one after the other.
const BURST: u32 = 25;
/// How long it takes until there may be one more.
const REFILL: Duration = Duration::from_mins(5);
/// Objects that are remembered. client-go remembers as many.
const REMEMBERED: usize = 4096;

/// A token bucket for each object.
#[derive(Debug, Default)]
pub(crate) struct EventBudget {
    /// When the bucket of an object is full again.
    full_at: HashMap<Key, Instant>,
}

/// Kind, namespace, name and uid.
type Key = [String; 4];

impl EventBudget {
    /// Whether there may be another event about an object, which counts then.
    pub(crate) fn take(&mut self, about: &ObjectReference, now: Instant) -> bool {
        let key = [&about.kind, &about.namespace, &about.name, &about.uid]
            .map(|part| part.clone().unwrap_or_default());
        let full_at = self.full_at.get(&key).copied().unwrap_or(now).max(now);
        if full_at - now > REFILL * (BURST - 1) {
            return false;
        }
        if self.full_at.len() >= REMEMBERED && !self.full_at.contains_key(&key) {
            self.forget(now);
        }
        self.full_at.insert(key, full_at + REFILL);
        true
    }

    /// Forgets the objects with a full bucket, and if there are none, the one that is full next.
    fn forget(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() < REMEMBERED {
            return;
        }
        let next = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
        if let Some(next) = next.map(|(key, _)| key.clone()) {
            self.full_at.remove(&next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> ObjectReference {
        ObjectReference {
            kind: Some("MCPServer".into()),
            namespace: Some("tools".into()),
            name: Some(name.into()),
            ..ObjectReference::default()
        }
    }

    #[test]
    fn an_object_has_a_burst_and_then_one_in_five_minutes() {
        let (mut budget, begin) = (EventBudget::default(), Instant::now());
        let restless = object("restless");
        let allowed =
            (0..3600).filter(|second| budget.take(&restless, begin + Duration::from_secs(*second)));
        assert_eq!(allowed.count(), 25 + 11);
        assert!(budget.take(&object("another"), begin));
    }

    #[test]
    fn no_more_objects_are_remembered_than_there_is_memory_for() {
        let (mut budget, now) = (EventBudget::default(), Instant::now());
        let restless = object("restless");
        for _ in 0..25 {
            assert!(budget.take(&restless, now));
        }
        for number in 0..2 * REMEMBERED {
            assert!(budget.take(&object(&number.to_string()), now));
        }
        assert!(budget.full_at.len() <= REMEMBERED);
        assert!(!budget.take(&restless, now), "it is not forgotten first");
    }
}
