//! A work queue: each key is in it once, and comes out when it is due.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Keys of what has to be looked at. A key that is added again while it waits stays in it once, at the earlier of the two
/// times: so the queue never has more entries than there are objects. Cheap to clone; all clones are the same queue.
pub struct WorkQueue<K>(Arc<Shared<K>>);

struct Shared<K> {
    entries: Mutex<Entries<K>>,
    added: Notify,
}

/// Keys by the time when they are due, and the time by key. Of several that are due, the one that was added first comes
/// first: the number tells their order.
struct Entries<K> {
    due: BTreeMap<(Instant, u64), K>,
    position: HashMap<K, (Instant, u64)>,
    next_number: u64,
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
                due: BTreeMap::new(),
                position: HashMap::new(),
                next_number: 0,
            }),
            added: Notify::new(),
        }))
    }
}

impl<K: Clone + Eq + Hash> WorkQueue<K> {
    /// Adds a key that is due now.
    pub fn add(&self, key: K) {
        self.add_after(key, Duration::ZERO);
    }

    /// Adds a key that is due after `delay`, unless it is due earlier already.
    pub fn add_after(&self, key: K, delay: Duration) {
        let due = Instant::now() + delay;
        let mut entries = self.entries();
        if let Some(&position) = entries.position.get(&key) {
            if position.0 <= due {
                return;
            }
            entries.due.remove(&position);
        }
        let position = (due, entries.next_number);
        entries.next_number += 1;
        entries.due.insert(position, key.clone());
        entries.position.insert(key, position);
        drop(entries);
        self.0.added.notify_one();
    }

    /// Waits for the next key that is due, and takes it out. For one consumer.
    pub async fn next(&self) -> K {
        loop {
            let added = self.0.added.notified();
            let first = self.entries().due.keys().next().map(|(due, _)| *due);
            match first {
                Some(due) if due <= Instant::now() => {
                    if let Some(key) = self.take_first() {
                        return key;
                    }
                }
                // An earlier one may be added meanwhile.
                Some(due) => _ = timeout_at(due, added).await,
                None => added.await,
            }
        }
    }

    /// Takes all keys out, whenever they are due.
    pub fn clear(&self) {
        let mut entries = self.entries();
        entries.due.clear();
        entries.position.clear();
    }

    fn take_first(&self) -> Option<K> {
        let mut entries = self.entries();
        let (_, key) = entries.due.pop_first()?;
        entries.position.remove(&key);
        Some(key)
    }

    fn entries(&self) -> MutexGuard<'_, Entries<K>> {
        self.0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_in_it_once_and_comes_out_in_order() {
        let queue = WorkQueue::default();
        for key in ["a", "b", "a", "a"] {
            queue.add(key);
        }
        assert_eq!((queue.next().await, queue.next().await), ("a", "b"));
        assert_eq!(queue.next().now_or_never(), None);
        queue.add("a");
        assert_eq!(queue.next().await, "a", "it can be added again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_times_counts() {
        let queue = WorkQueue::default();
        let began = Instant::now();
        let seconds = Duration::from_secs;
        queue.add_after("a", seconds(10));
        queue.add_after("b", seconds(5));
        queue.add_after("a", seconds(20));
        queue.add_after("b", seconds(1));
        assert_eq!(queue.next().await, "b");
        assert_eq!(began.elapsed(), seconds(1));
        assert_eq!(queue.next().await, "a");
        assert_eq!(began.elapsed(), seconds(10));
        assert_eq!(queue.next().now_or_never(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_added_meanwhile_is_not_waited_past() {
        let queue = WorkQueue::default();
        queue.add_after("late", Duration::from_hours(1));
        let adding = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            queue.add("early");
        };
        let (next, ()) = tokio::join!(queue.next(), adding);
        assert_eq!(next, "early");
    }
}
