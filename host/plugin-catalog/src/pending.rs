//! What is to be written for each plugin: only the newest of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_operator_runtime::{Priority, WorkQueue};

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

    /// The next one that is due; it is no longer pending.
    pub(crate) async fn next(&self) -> (String, T) {
        loop {
            let name = self.due.next().await;
            let pending = self.newest().remove(&name);
            if let Some(pending) = pending {
                return (name, pending);
            }
        }
    }

    /// Puts back what could not be written, unless something newer has come meanwhile.
    pub(crate) fn retry(&self, name: String, pending: T, pause: Duration) {
        self.newest().entry(name.clone()).or_insert(pending);
        self.due.add_after(name, pause, Priority::Normal);
    }

    fn newest(&self) -> MutexGuard<'_, BTreeMap<String, T>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
