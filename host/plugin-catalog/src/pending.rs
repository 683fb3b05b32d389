//! What is to be written for each plugin: only the newest of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_operator_runtime::{ApiError, Leadership, Priority, WorkQueue};

/// What is to be written, by name of the plugin. Clones are the same.
pub(crate) struct Pending<T> {
    newest: Arc<Mutex<BTreeMap<String, T>>>,
    due: WorkQueue<String>,
}

impl<T> Clone for Pending<T> {
    fn clone(&self) -> Self {
        Self {
            newest: Arc::clone(&self.newest),
            due: self.due.clone(),
        }
    }
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self {
            newest: Arc::default(),
            due: WorkQueue::default(),
        }
    }
}

impl<T> Pending<T> {
    /// Takes the place of an older one, also in its wait after a failure.
    pub(crate) fn replace(&self, name: String, pending: T) {
        if self.newest().insert(name.clone(), pending).is_none() {
            self.due.add(name);
        }
    }

    /// Writes one after the other, so that something older never comes after something newer. What cannot be written waits for
    /// as long as `pause` says, by its error and the number of failures in a row, without holding up others; without a pause
    /// it is given up. Only the leader writes; what comes meanwhile waits. Never ends.
    pub(crate) async fn write_all<W: Future<Output = Result<(), ApiError>>>(
        &self,
        write: impl Fn(String, T) -> W,
        pause: impl Fn(&str, &ApiError, u32) -> Option<Duration>,
        leadership: &Leadership,
    ) where
        T: Clone,
    {
        let mut failures: BTreeMap<String, u32> = BTreeMap::new();
        loop {
            leadership.acquired().await;
            let (name, pending) = self.next().await;
            let Err(error) = write(name.clone(), pending.clone()).await else {
                failures.remove(&name);
                continue;
            };
            let attempt = failures.get(&name).map_or(1, |failures| failures + 1);
            if let Some(pause) = pause(&name, &error, attempt) {
                failures.insert(name.clone(), attempt);
                self.retry(name, pending, pause);
            } else {
                failures.remove(&name);
            }
        }
    }

    /// What was to be written is not to be written any more.
    pub(crate) fn clear(&self) {
        self.newest().clear();
    }

    /// The next one that is due; it is no longer pending.
    async fn next(&self) -> (String, T) {
        loop {
            let name = self.due.next().await;
            let pending = self.newest().remove(&name);
            if let Some(pending) = pending {
                return (name, pending);
            }
        }
    }

    /// Puts back what could not be written, unless something newer has come meanwhile.
    fn retry(&self, name: String, pending: T, pause: Duration) {
        self.newest().entry(name.clone()).or_insert(pending);
        self.due.add_after(name, pause, Priority::Normal);
    }

    fn newest(&self) -> MutexGuard<'_, BTreeMap<String, T>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
