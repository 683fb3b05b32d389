//! The snapshot in force, and those that a request may have been begun with.
//!
//! The API server asks twice about one request: first to complete the object, then to validate it, and the second question
//! may reach another replica, or come after a change of plugins. It has to be answered by the same plugins as the first. So
//! the first answer notes their [revision](Snapshot::revision) on the object, and plugins that were just replaced, or are
//! about to be in force, are still there to be asked ([`around`](super::around)).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::activate::ActivePlugin;
use super::around::Around;
use super::snapshot::Snapshot;

/// For so long a request waits for plugins that another replica has in force already: the news is on its way.
const PATIENCE: Duration = Duration::from_secs(2);

/// The snapshot in force, and the plugins around it. Cheap to clone.
#[derive(Clone)]
pub struct Snapshots {
    current: watch::Receiver<Arc<Snapshot>>,
    around: watch::Receiver<Around>,
    /// This replica follows no leader any more.
    draining: Arc<watch::Sender<bool>>,
}

/// Where what is in force is published.
pub struct SnapshotSender {
    current: watch::Sender<Arc<Snapshot>>,
    around: watch::Sender<Around>,
}

/// What is in force, and what this replica knows besides.
pub struct Published {
    /// In force on this replica.
    pub current: Arc<Snapshot>,
    /// Loaded, and waiting for the leader to have them in force.
    pub staged: Vec<Arc<ActivePlugin>>,
    /// Names of plugins that the leader has in force otherwise than this replica.
    pub behind: Vec<String>,
}

impl From<Arc<Snapshot>> for Published {
    /// By itself, nothing around it.
    fn from(current: Arc<Snapshot>) -> Self {
        Self {
            current,
            staged: Vec::new(),
            behind: Vec::new(),
        }
    }
}

/// This replica cannot judge: the leader has these plugins in force otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this replica of the operator has not loaded yet what is in force of: {}; try again in a moment", .0.join(", "))]
pub struct Behind(pub Vec<String>);

impl Snapshots {
    /// A sender of snapshots, and the receiving side. By the first one, nothing can be decided.
    pub fn channel() -> (SnapshotSender, Self) {
        let nothing_tried = Snapshot::with_unavailable(Vec::new(), Vec::new(), false);
        let (current_sender, current) = watch::channel(Arc::new(nothing_tried));
        let (around_sender, around) = watch::channel(Around::default());
        let sender = SnapshotSender {
            current: current_sender,
            around: around_sender,
        };
        let receiver = Self {
            current,
            around,
            draining: Arc::default(),
        };
        (sender, receiver)
    }

    /// Plugins that never change.
    pub fn fixed(snapshot: Snapshot) -> Self {
        Self {
            current: watch::channel(Arc::new(snapshot)).1,
            around: watch::channel(Around::default()).1,
            draining: Arc::default(),
        }
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.borrow().clone()
    }

    /// Waits for another snapshot than the last one that was taken through this value.
    pub async fn changed(&mut self) {
        if self.current.changed().await.is_err() {
            // The catalogue is gone, so nothing will ever change again.
            std::future::pending::<()>().await;
        }
    }

    /// From now on this replica judges by what it has in force, whatever the leader has. One that ends is still asked until
    /// everybody has heard of it, and the next leader may be of a version whose plugins it has not.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Whether the leader has something else in force than this replica.
    pub fn is_behind(&self) -> bool {
        !self.behind().is_empty()
    }

    fn behind(&self) -> Vec<String> {
        if *self.draining.borrow() {
            return Vec::new();
        }
        self.around.borrow().behind.clone()
    }

    /// What a request is answered by that begins here.
    ///
    /// # Errors
    /// This replica is behind, and stays so for longer than a request waits.
    pub async fn to_begin(&self) -> Result<Arc<Snapshot>, Behind> {
        if !self.is_behind() {
            return Ok(self.current());
        }
        let (mut around, mut draining) = (self.around.clone(), self.draining.subscribe());
        let caught_up = async {
            tokio::select! {
                _ = around.wait_for(|around| around.behind.is_empty()) => {}
                _ = draining.wait_for(|draining| *draining) => {}
            }
        };
        match timeout_at(Instant::now() + PATIENCE, caught_up).await {
            Ok(()) => Ok(self.current()),
            Err(_) => Err(Behind(self.behind())),
        }
    }

    /// What a request is answered by whose object was completed by plugins of this revision; what is in force, if these are
    /// known nowhere here.
    ///
    /// # Errors
    /// The same as of [`Snapshots::to_begin`].
    pub async fn to_go_on(&self, revision: &str) -> Result<Arc<Snapshot>, Behind> {
        let deadline = Instant::now() + PATIENCE;
        let (mut current, mut around) = (self.current.clone(), self.around.clone());
        let mut draining = self.draining.subscribe();
        loop {
            current.mark_unchanged();
            around.mark_unchanged();
            if let Some(found) = self.of_revision(revision) {
                return Ok(found);
            }
            // Nothing comes any more.
            if *draining.borrow_and_update() {
                break;
            }
            let news = async {
                tokio::select! {
                    changed = current.changed() => changed,
                    changed = around.changed() => changed,
                    changed = draining.changed() => changed,
                }
            };
            if !matches!(timeout_at(deadline, news).await, Ok(Ok(()))) {
                break;
            }
        }
        let behind = self.behind();
        if behind.is_empty() {
            Ok(self.current())
        } else {
            Err(Behind(behind))
        }
    }

    fn of_revision(&self, revision: &str) -> Option<Arc<Snapshot>> {
        let current = self.current();
        if current.revision() == revision {
            return Some(current);
        }
        let found = self.around.borrow().find(current.plugins(), revision)?;
        let is_missing = |name: &str| found.iter().all(|plugin| plugin.name() != name);
        let unavailable = current.unavailable().iter();
        let unavailable = unavailable.filter(|plugin| is_missing(plugin.name()));
        let unavailable = unavailable.cloned().collect();
        let synced = current.is_synced();
        Some(Arc::new(Snapshot::with_unavailable(
            found,
            unavailable,
            synced,
        )))
    }
}

impl SnapshotSender {
    /// Publishes what is in force now, and what is around it.
    pub fn publish(&self, published: impl Into<Published>) {
        let Published {
            current,
            staged,
            behind,
        } = published.into();
        let before = self.current.borrow().clone();
        let judged_by = before.is_synced().then(|| before.plugins());
        // Who is asked for what is replaced now still finds it as the current one, or already here.
        self.around
            .send_modify(|around| around.replace(judged_by, current.plugins(), staged));
        self.current.send_if_modified(|known| {
            let differs = known.fingerprint() != current.fingerprint();
            *known = current;
            differs
        });
        self.around.send_modify(|around| around.behind = behind);
    }

    /// A plugin as it is in force nowhere here, and may be or have been elsewhere.
    pub fn remember(&self, plugin: Arc<ActivePlugin>) {
        self.around.send_modify(|around| around.remember(plugin));
    }

    /// Lets go of what was replaced long ago: its components take memory.
    pub fn forget_replaced(&self) {
        self.around.send_if_modified(Around::forget);
    }
}

#[cfg(test)]
#[path = "snapshots_tests.rs"]
mod tests;
