//! A work queue: each key is in it once, and comes out when it is due, by priority and in turns.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_operator_core::server_key::ServerKey;
use mcp_operator_metrics::QueueState;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::round_robin::RoundRobin;

/// While keys of normal priority are due, one of low priority comes out this often nevertheless: a burst must not hide for
/// ever how the first of its servers stand.
const LOW_PRIORITY_EVERY: Duration = Duration::from_secs(1);

/// Keys of what has to be looked at. A key that is added again while it waits stays in it once, at the earlier of the two
/// times and with the higher of the two priorities: so the queue never has more entries than there are objects. Cheap to
/// clone; all clones are the same queue.
pub struct WorkQueue<K>(Arc<Shared<K>>);

/// Which of the keys that are due comes first. In a burst of 1,000 servers the steps of their rollouts are half of all writes:
/// where these did not give way, the last object came after 1.44 times as long as a bare client takes, in both orders together,
/// and with them last after 1.17 and 1.21 times as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// After all that are normal, but for one a second.
    Low,
    /// What somebody waits for.
    Normal,
}

/// What a [`WorkQueue`] can hold.
pub trait QueueKey: Clone + Eq + Hash {
    /// Keys of different groups take turns, so that many of one do not hold up the others.
    fn group(&self) -> Option<&str> {
        None
    }
}

/// Namespaces take turns.
impl QueueKey for ServerKey {
    fn group(&self) -> Option<&str> {
        Some(&self.namespace)
    }
}

/// Namespace and name.
impl QueueKey for (String, String) {}
impl QueueKey for String {}

struct Shared<K> {
    entries: Mutex<Entries<K>>,
    added: Notify,
}

/// Each key is either delayed or due; `position` says where.
struct Entries<K> {
    delayed: BTreeMap<(Instant, u64), K>,
    normal: RoundRobin<K>,
    low: RoundRobin<K>,
    position: HashMap<K, Position>,
    next_number: u64,
    last_low: Option<Instant>,
}

/// Where a key is. The number is the order in which it was added.
#[derive(Clone, Copy)]
struct Position {
    due: Instant,
    is_delayed: bool,
    number: u64,
    priority: Priority,
}

impl<K> Clone for WorkQueue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for WorkQueue<K> {
    fn default() -> Self {
        Self(Arc::new(Shared {
            entries: Mutex::new(Entries {
                delayed: BTreeMap::new(),
                normal: RoundRobin::default(),
                low: RoundRobin::default(),
                position: HashMap::new(),
                next_number: 0,
                last_low: None,
            }),
            added: Notify::new(),
        }))
    }
}

impl<K: QueueKey> WorkQueue<K> {
    /// Adds a key that is due now, of normal priority.
    pub fn add(&self, key: K) {
        self.add_after(key, Duration::ZERO, Priority::Normal);
    }

    /// Adds a key that is due after `delay`, unless it is due earlier already.
    pub fn add_after(&self, key: K, delay: Duration, priority: Priority) {
        let now = Instant::now();
        self.entries().add(key, now + delay, now, priority);
        self.0.added.notify_one();
    }

    /// Waits for the next key that is due, and takes it out. For one consumer.
    pub async fn next(&self) -> K {
        loop {
            let added = self.0.added.notified();
            let delayed_until = {
                let mut entries = self.entries();
                if let Some(key) = entries.take(Instant::now()) {
                    return key;
                }
                entries.delayed.keys().next().map(|(due, _)| *due)
            };
            match delayed_until {
                // An earlier one may be added meanwhile.
                Some(due) => _ = timeout_at(due, added).await,
                None => added.await,
            }
        }
    }

    /// How much is in it, and for how long. It looks at every key: for scrapes, and for people.
    pub fn state(&self) -> QueueState {
        let now = Instant::now();
        let entries = self.entries();
        let mut state = QueueState::default();
        for position in entries.position.values() {
            if position.due <= now {
                state.due += 1;
                state.oldest = state.oldest.max(now - position.due);
            } else {
                state.delayed += 1;
            }
        }
        state
    }

    /// Takes all keys out, whenever they are due.
    pub fn clear(&self) {
        let mut entries = self.entries();
        entries.delayed.clear();
        entries.normal.clear();
        entries.low.clear();
        entries.position.clear();
    }

    fn entries(&self) -> MutexGuard<'_, Entries<K>> {
        self.0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: QueueKey> Entries<K> {
    fn add(&mut self, key: K, mut due: Instant, now: Instant, mut priority: Priority) {
        if let Some(before) = self.position.get(&key).copied() {
            if before.due <= due && before.priority >= priority {
                return;
            }
            due = due.min(before.due);
            priority = priority.max(before.priority);
            self.remove(&key, before);
        }
        let position = Position {
            due,
            is_delayed: due > now,
            number: self.next_number,
            priority,
        };
        self.next_number += 1;
        self.position.insert(key.clone(), position);
        if position.is_delayed {
            self.delayed.insert((due, position.number), key);
        } else {
            self.push(position, key);
        }
    }

    fn remove(&mut self, key: &K, position: Position) {
        if position.is_delayed {
            self.delayed.remove(&(position.due, position.number));
        } else {
            let queue = self.queue(position.priority);
            queue.remove(key.group().unwrap_or_default(), position.number);
        }
    }

    fn take(&mut self, now: Instant) -> Option<K> {
        self.end_delays(now);
        let low_waits = !self.low.is_empty()
            && self
                .last_low
                .is_none_or(|last| now >= last + LOW_PRIORITY_EVERY);
        let normal = if low_waits { None } else { self.normal.pop() };
        let key = normal.or_else(|| {
            self.last_low = Some(now);
            self.low.pop()
        })?;
        self.position.remove(&key);
        Some(key)
    }

    /// Moves what was delayed to what is due.
    fn end_delays(&mut self, now: Instant) {
        while let Some(first) = self.delayed.first_entry()
            && first.key().0 <= now
        {
            let (_, key) = first.remove_entry();
            if let Some(position) = self.position.get_mut(&key) {
                position.is_delayed = false;
                let position = *position;
                self.push(position, key);
            }
        }
    }

    fn push(&mut self, position: Position, key: K) {
        let group = key.group().unwrap_or_default().to_owned();
        self.queue(position.priority)
            .push(&group, position.number, key);
    }

    fn queue(&mut self, priority: Priority) -> &mut RoundRobin<K> {
        match priority {
            Priority::Low => &mut self.low,
            Priority::Normal => &mut self.normal,
        }
    }
}

#[cfg(test)]
#[path = "work_queue_tests.rs"]
mod tests;
