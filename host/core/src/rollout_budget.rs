//! How often the entries of a namespace may change, where each change restarts the gateway.
//!
//! Each namespace has a budget of its own, so that one that changes its servers all the time waits, and nobody else does.
//! What is removed is removed at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::desired_entries::{DesiredEntries, RegistrationEntry};
use crate::server_key::ServerKey;

/// Changes that a namespace may make one after the other before it has to wait.
const BURST: i32 = 3;

/// The budgets of all namespaces: a few changes at once, and then one in each interval.
#[derive(Debug, Default)]
pub struct RolloutBudget {
    /// How long it takes until a namespace may make another change. Zero: there is no budget.
    interval: SignedDuration,
    /// Until when the budget of a namespace is used, if it is.
    used_until: HashMap<String, Timestamp>,
}

/// What may be registered now, and what has to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budgeted {
    /// The desired entries, those that wait as they were before.
    pub entries: DesiredEntries,
    /// Servers whose entry is another one than desired, or is missing, and until when.
    pub waiting: BTreeMap<ServerKey, Timestamp>,
}

impl RolloutBudget {
    /// A budget of one change in each `interval`, and some at once.
    pub fn new(interval: SignedDuration) -> Self {
        Self {
            interval,
            used_until: HashMap::new(),
        }
    }

    /// Until when a namespace has to wait with changes; nothing if it need not.
    pub fn waits_until(&self, namespace: &str, now: Timestamp) -> Option<Timestamp> {
        let used_until = self.used_until.get(namespace)?;
        let ahead = self.interval.checked_mul(BURST - 1)?;
        let free_at = used_until.checked_sub(ahead).ok()?;
        (free_at > now).then_some(free_at)
    }

    /// What may be registered now, and counts the changes from `previous`, of which removals are free.
    pub fn spend(
        &mut self,
        previous: &DesiredEntries,
        desired: DesiredEntries,
        now: Timestamp,
    ) -> Budgeted {
        self.used_until.retain(|_, used_until| *used_until > now);
        let mut budgeted = Budgeted {
            entries: DesiredEntries {
                entries: Vec::with_capacity(desired.entries.len()),
                ..desired
            },
            waiting: BTreeMap::new(),
        };
        let mut changing = BTreeSet::new();
        for entry in desired.entries {
            let before = previous.find(&entry.key);
            if before == Some(&entry) {
                budgeted.entries.entries.push(entry);
                continue;
            }
            let Some(until) = self.waits_until(&entry.key.namespace, now) else {
                changing.insert(entry.key.namespace.clone());
                budgeted.entries.entries.push(entry);
                continue;
            };
            budgeted.waiting.insert(entry.key.clone(), until);
            let kept = before.map(|before| without_what_is_removed(before, &entry));
            budgeted.entries.entries.extend(kept);
        }
        for namespace in changing {
            let used_until = self.used_until.entry(namespace).or_insert(now);
            *used_until = used_until.checked_add(self.interval).unwrap_or(*used_until);
        }
        let next = budgeted.waiting.values().copied().min();
        let recheck_at = budgeted.entries.recheck_at;
        budgeted.entries.recheck_at = recheck_at.into_iter().chain(next).min();
        budgeted
    }
}

/// An entry as it was before, without the groups and tools that it should no longer have: to take something away does not
/// wait, either. Without a list, there are all tools.
pub(crate) fn without_what_is_removed(
    before: &RegistrationEntry,
    desired: &RegistrationEntry,
) -> RegistrationEntry {
    let mut kept = before.clone();
    let desired_groups = &desired.access_groups;
    kept.access_groups
        .retain(|group| desired_groups.contains(group));
    if let Some(desired_tools) = &desired.allowed_tools {
        match &mut kept.allowed_tools {
            Some(tools) => tools.retain(|tool| desired_tools.contains(tool)),
            None => kept.allowed_tools = Some(desired_tools.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: SignedDuration = SignedDuration::from_mins(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn entry(namespace: &str, name: &str, description: &str) -> RegistrationEntry {
        RegistrationEntry {
            key: ServerKey::new(namespace, name),
            uid: name.into(),
            created: String::new(),
            labels: Vec::new(),
            url: "http://a/mcp".into(),
            is_remote: false,
            transport: "http",
            description: description.into(),
            access_groups: Vec::new(),
            allowed_tools: None,
            extra: BTreeMap::new(),
        }
    }

    fn desired(entries: Vec<RegistrationEntry>) -> DesiredEntries {
        DesiredEntries {
            entries,
            ..DesiredEntries::default()
        }
    }

    #[test]
    fn a_namespace_that_changes_every_second_gets_a_few_changes_through() {
        let mut budget = RolloutBudget::new(INTERVAL);
        let mut last = desired(vec![]);
        let mut changes = 0;
        for second in 0..3600 {
            let changed = entry("restless", "a", &second.to_string());
            let budgeted = budget.spend(&last, desired(vec![changed]), at(second));
            changes += usize::from(budgeted.entries.entries != last.entries);
            last = budgeted.entries;
        }
        assert_eq!(changes, 3 + 5, "three at once, and one in each ten minutes");
    }

    #[test]
    fn others_do_not_wait() {
        let mut budget = RolloutBudget::new(INTERVAL);
        let mut last = desired(vec![]);
        for second in 0..10 {
            let changed = entry("restless", "a", &second.to_string());
            last = budget
                .spend(&last, desired(vec![changed]), at(second))
                .entries;
        }
        let both = desired(vec![
            entry("quiet", "b", "new"),
            entry("restless", "a", "another"),
            entry("restless", "c", "new"),
        ]);
        let budgeted = budget.spend(&last, both, at(10));
        let keys: Vec<String> = budgeted.entries.keys().map(ToString::to_string).collect();
        assert_eq!(keys, ["quiet/b", "restless/a"]);
        assert_eq!(budgeted.entries.entries[1].description, "2", "as it was");
        let waiting = [
            ServerKey::new("restless", "a"),
            ServerKey::new("restless", "c"),
        ];
        assert!(budgeted.waiting.keys().eq(&waiting));
        assert_eq!(budgeted.entries.recheck_at, Some(at(600)));
        assert_eq!(budget.waits_until("quiet", at(10)), None);
    }

    #[test]
    fn what_is_removed_does_not_wait() {
        let mut budget = RolloutBudget::new(INTERVAL);
        let wide = |description: &str| RegistrationEntry {
            access_groups: vec!["a".into(), "b".into()],
            ..entry("restless", "a", description)
        };
        let mut last = desired(vec![]);
        for second in 0..5 {
            let servers = vec![wide(&second.to_string()), entry("restless", "gone", "x")];
            last = budget.spend(&last, desired(servers), at(second)).entries;
        }
        let narrow = RegistrationEntry {
            access_groups: vec!["b".into(), "c".into()],
            allowed_tools: Some(vec!["search".into()]),
            ..wide("another")
        };
        let budgeted = budget.spend(&last, desired(vec![narrow.clone()]), at(6));
        let [left] = &budgeted.entries.entries[..] else {
            panic!("one is gone: {budgeted:?}");
        };
        assert_eq!(left.access_groups, ["b"]);
        assert_eq!(left.allowed_tools, narrow.allowed_tools);
        assert_eq!(left.description, "2");
        let later = budget.spend(&budgeted.entries, desired(vec![narrow.clone()]), at(700));
        assert_eq!(later.entries.entries, [narrow]);
        assert!(later.waiting.is_empty());
    }

    #[test]
    fn without_an_interval_nothing_waits() {
        let mut budget = RolloutBudget::default();
        for second in 0..100 {
            let changed = desired(vec![entry("a", "a", &second.to_string())]);
            let budgeted = budget.spend(&desired(vec![]), changed.clone(), at(0));
            assert_eq!(budgeted.entries, changed);
        }
    }
}
