//! How often the entries of a namespace may change, where each change restarts the gateway.
//!
//! Each namespace has a budget of its own, so that one that changes its servers all the time waits, and nobody else does.
//! What is removed is removed at once. All namespaces together are bounded by a pause after each change: whoever has budget left
//! waits for its end, and goes together with the others that wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use mcp_operator_api::v1alpha1::LiteLlmToolParameters;

use crate::desired_entries::{ALLOWED_PARAMETERS, DesiredEntries, RegistrationEntry};
use crate::server_key::ServerKey;

/// The label that registrars tell the gateway.
const TEAM: &str = "team";

/// Changes that a namespace may make one after the other before it has to wait.
const BURST: i32 = 3;

/// The budgets of all namespaces: a few changes at once, and then one in each interval.
#[derive(Debug, Default)]
pub struct RolloutBudget {
    /// How long it takes until a namespace may make another change. Zero: there is no budget.
    interval: SignedDuration,
    /// How long nobody may change anything after a change. Zero: there is no pause.
    pause: SignedDuration,
    /// When something was changed last.
    last_change: Option<Timestamp>,
    /// Until when the budget of a namespace is used, if it is.
    used_until: HashMap<String, Timestamp>,
}

/// What may be registered now, and what has to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budgeted {
    /// The desired entries, those that wait as they were before.
    pub entries: DesiredEntries,
    /// Servers whose entry is another one than desired, or is missing, and what they wait for.
    pub waiting: BTreeMap<ServerKey, Wait>,
}

/// What a change waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Its namespace has made too many, and may make another one at this time.
    Budget(Timestamp),
    /// Somebody has made one, and all may make the next one together at this time.
    Pause(Timestamp),
}

impl Wait {
    /// When it ends.
    pub fn until(self) -> Timestamp {
        match self {
            Self::Budget(until) | Self::Pause(until) => until,
        }
    }
}

impl RolloutBudget {
    /// A budget of one change in each `interval`, and some at once, with a `pause` after each change of anybody.
    pub fn new(interval: SignedDuration, pause: SignedDuration) -> Self {
        Self {
            interval,
            pause,
            ..Self::default()
        }
    }

    /// Until when a namespace has to wait with changes; nothing if it need not.
    pub fn waits_until(&self, namespace: &str, now: Timestamp) -> Option<Timestamp> {
        let used_until = self.used_until.get(namespace)?;
        let ahead = self.interval.checked_mul(BURST - 1)?;
        let free_at = used_until.checked_sub(ahead).ok()?;
        (free_at > now).then_some(free_at)
    }

    /// Until when nobody may change anything; nothing if somebody may.
    fn pauses_until(&self, now: Timestamp) -> Option<Timestamp> {
        // A clock that was put back must not make it longer.
        let last_change = self.last_change?.min(now);
        let end = last_change.checked_add(self.pause).ok()?;
        (end > now).then_some(end)
    }

    /// What may be registered now, and counts the changes from `previous`, of which removals are free.
    pub fn spend(
        &mut self,
        previous: &DesiredEntries,
        desired: DesiredEntries,
        now: Timestamp,
    ) -> Budgeted {
        self.used_until.retain(|_, used_until| *used_until > now);
        let removes = |before: &RegistrationEntry| desired.find(&before.key).is_none();
        // Where something is removed the gateway restarts anyway: what waits for the end of a pause may go with it.
        let restarts_anyway = previous.entries.iter().any(removes);
        let pause = self.pauses_until(now).filter(|_| !restarts_anyway);
        let mut changing = BTreeSet::new();
        let mut budgeted = Budgeted {
            entries: DesiredEntries {
                entries: Vec::with_capacity(desired.entries.len()),
                ..desired
            },
            waiting: BTreeMap::new(),
        };
        for entry in desired.entries {
            let before = previous.find(&entry.key);
            if before.is_some_and(|before| is_same_to_gateway(before, &entry)) {
                budgeted.entries.entries.push(entry);
                continue;
            }
            let budget = self.waits_until(&entry.key.namespace, now);
            let Some(wait) = budget.map(Wait::Budget).or(pause.map(Wait::Pause)) else {
                changing.insert(entry.key.namespace.clone());
                budgeted.entries.entries.push(entry);
                continue;
            };
            budgeted.waiting.insert(entry.key.clone(), wait);
            let kept = before.map(|before| without_what_is_removed(before, &entry));
            budgeted.entries.entries.extend(kept);
        }
        if !changing.is_empty() {
            self.last_change = Some(now);
        }
        for namespace in changing {
            let used_until = self.used_until.entry(namespace).or_insert(now);
            *used_until = used_until.checked_add(self.interval).unwrap_or(*used_until);
        }
        let next = budgeted.waiting.values().map(|wait| wait.until()).min();
        let recheck_at = budgeted.entries.recheck_at;
        budgeted.entries.recheck_at = recheck_at.into_iter().chain(next).min();
        budgeted
    }
}

/// Whether no caller can tell them apart, and so no gateway restarts: pipelines put a label of their own on each version. The
/// team is told to the gateway.
fn is_same_to_gateway(before: &RegistrationEntry, entry: &RegistrationEntry) -> bool {
    let team = |entry: &RegistrationEntry| {
        let mut labels = entry.labels.iter();
        labels.find(|(name, _)| name == TEAM).cloned()
    };
    before.uid == entry.uid
        && before.fingerprint() == entry.fingerprint()
        && team(before) == team(entry)
}

/// An entry as it was before, without the groups, tools and parameters that it should no longer have: to take something away
/// does not wait, either. Without a list, there are all tools.
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
    if let Some(parameters) = desired.extra.get(ALLOWED_PARAMETERS) {
        let before = before.extra.get(ALLOWED_PARAMETERS);
        kept.extra
            .insert(ALLOWED_PARAMETERS, in_both(before, parameters));
    }
    kept
}

/// The parameters that both lists allow, each of them as JSON. A tool that is in one alone has those of that one: without a
/// list, all are allowed.
fn in_both(before: Option<&String>, desired: &str) -> String {
    let read =
        |text: &str| serde_json::from_str::<Vec<LiteLlmToolParameters>>(text).unwrap_or_default();
    let (before, mut both) = (
        before.map_or_else(Vec::new, |text| read(text)),
        read(desired),
    );
    for tool in before {
        match both.iter_mut().find(|known| known.tool == tool.tool) {
            Some(known) => known.parameters.retain(|it| tool.parameters.contains(it)),
            None => both.push(tool),
        }
    }
    serde_json::to_string(&both).unwrap_or_else(|_| desired.to_owned())
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

    /// Pipelines put a label of their own on each version.
    #[test]
    fn a_label_that_no_caller_sees_costs_nothing() {
        let labelled = |name: &str, value: &str| RegistrationEntry {
            labels: vec![(name.into(), value.into())],
            ..entry("tools", "a", "one")
        };
        let spent = |from: RegistrationEntry, to: RegistrationEntry| {
            let mut budget = RolloutBudget::new(INTERVAL, INTERVAL);
            let now = Timestamp::UNIX_EPOCH;
            let done = budget.spend(&desired(vec![from]), desired(vec![to.clone()]), now);
            assert_eq!(done.entries.entries, [to], "it is taken over all the same");
            budget.used_until.len()
        };
        assert_eq!(spent(labelled("commit", "1"), labelled("commit", "2")), 0);
        assert_eq!(spent(labelled("team", "a"), labelled("team", "b")), 1);
        assert_eq!(
            spent(labelled("commit", "1"), entry("tools", "a", "two")),
            1
        );
    }

    #[test]
    fn parameters_that_are_taken_away_do_not_wait() {
        let with = |parameters: &str| {
            let mut entry = entry("tools", "a", "one");
            entry
                .extra
                .insert(ALLOWED_PARAMETERS, parameters.to_owned());
            entry
        };
        let kept = |before: &RegistrationEntry, desired: &str| {
            without_what_is_removed(before, &with(desired)).extra[ALLOWED_PARAMETERS].clone()
        };
        let both = r#"[{"tool":"read","parameters":["path","encoding"]}]"#;
        let path = r#"[{"tool":"read","parameters":["path"]}]"#;
        assert_eq!(kept(&with(both), path), path);
        assert_eq!(kept(&with(path), both), path, "more waits");
        assert_eq!(kept(&entry("tools", "a", "one"), path), path);
        let other = r#"[{"tool":"write","parameters":[]}]"#;
        let all = r#"[{"tool":"write","parameters":[]},{"tool":"read","parameters":["path"]}]"#;
        assert_eq!(kept(&with(path), other), all);
    }

    #[test]
    fn a_namespace_that_changes_every_second_gets_a_few_changes_through() {
        let mut budget = RolloutBudget::new(INTERVAL, SignedDuration::ZERO);
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
        let mut budget = RolloutBudget::new(INTERVAL, SignedDuration::ZERO);
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
        let mut budget = RolloutBudget::new(INTERVAL, SignedDuration::ZERO);
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

    const PAUSE: SignedDuration = SignedDuration::from_mins(1);

    #[test]
    fn many_namespaces_together_are_bounded_and_wait_for_the_same_moment() {
        let mut budget = RolloutBudget::new(INTERVAL, PAUSE);
        let (mut last, mut changes) = (desired(vec![]), 0);
        let mut seen = BTreeSet::new();
        // Forty teams, each of which changes something every ten minutes, one after the other.
        for second in 0..3600 {
            let entries = (0..40).map(|team| {
                let turn = (second + team * 15) / 600;
                entry(&format!("team-{team:02}"), "a", &turn.to_string())
            });
            let wanted = desired(entries.collect());
            let budgeted = budget.spend(&last, wanted.clone(), at(second));
            changes += usize::from(budgeted.entries.entries != last.entries);
            for key in budgeted.waiting.keys() {
                seen.insert(key.namespace.clone());
            }
            let waits = budgeted.waiting.values().map(|wait| wait.until());
            assert!(waits.max().is_none_or(|until| until <= at(second) + PAUSE));
            last = budgeted.entries;
        }
        assert!(changes <= 60, "{changes} rollouts in an hour");
        assert!(seen.len() >= 30, "most have to wait once: {seen:?}");
    }

    #[test]
    fn what_waits_for_the_end_of_a_pause_goes_together_and_removals_go_at_once() {
        let mut budget = RolloutBudget::new(INTERVAL, PAUSE);
        let (a, b, c) = (
            entry("a", "a", ""),
            entry("b", "b", ""),
            entry("c", "c", ""),
        );
        let first = budget
            .spend(&desired(vec![]), desired(vec![a.clone()]), at(0))
            .entries;
        let all = desired(vec![a.clone(), b.clone(), c.clone()]);
        let second = budget.spend(&first, all.clone(), at(1));
        assert_eq!(second.entries.entries, std::slice::from_ref(&a));
        assert!(
            second
                .waiting
                .values()
                .all(|wait| *wait == Wait::Pause(at(60)))
        );
        assert_eq!(second.entries.recheck_at, Some(at(60)));
        // A removal restarts the gateway anyway.
        let removed = budget.spend(&first, desired(vec![b.clone()]), at(2));
        assert_eq!(removed.entries.entries, std::slice::from_ref(&b));
        let removed = budget.spend(&removed.entries, desired(vec![]), at(3));
        assert!(removed.entries.entries.is_empty() && removed.waiting.is_empty());
        // Removals extend no pause.
        let third = budget.spend(&removed.entries, all.clone(), at(62));
        assert_eq!(third.entries.entries, all.entries);
    }

    #[test]
    fn a_clock_that_was_put_back_makes_no_pause_longer() {
        let mut budget = RolloutBudget::new(INTERVAL, PAUSE);
        budget.spend(
            &desired(vec![]),
            desired(vec![entry("a", "a", "")]),
            at(10_000),
        );
        assert_eq!(budget.pauses_until(at(5)), Some(at(65)));
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
