//! Which servers have changed and have not been acted on: what is told about others gives way to them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::reference::ServerRef;

/// Longest that others wait: what a burst of new servers takes longer must not hide how the first of them stand.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two of others while changes wait: a burst must not hide for ever how its servers stand, either.
const TURN: Duration = Duration::from_secs(1);

/// Servers whose change waits for its pass. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pending {
    changed: watch::Sender<HashSet<ServerRef>>,
    /// Others, whose turn it is nevertheless.
    turns: Arc<Mutex<HashSet<ServerRef>>>,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            changed: watch::Sender::new(HashSet::new()),
            turns: Arc::default(),
        }
    }
}

impl Pending {
    /// Notes a server that changed.
    pub(super) fn add(&self, server: &ServerRef) {
        self.changed
            .send_if_modified(|pending| pending.insert(server.clone()));
    }

    /// Notes that a server has been acted on; whether it waited for that.
    pub(super) fn remove(&self, server: &ServerRef) -> bool {
        self.changed
            .send_if_modified(|pending| pending.remove(server))
    }

    /// Notes that a server is gone.
    pub(super) fn forget(&self, server: &ServerRef) {
        self.remove(server);
        self.turns().remove(server);
    }

    /// Waits until all of them have been acted on, within reason.
    pub(super) async fn none(&self) {
        let mut pending = self.changed.subscribe();
        // The sender lives as long as this value.
        let _ = timeout(PATIENCE, pending.wait_for(HashSet::is_empty)).await;
    }

    /// Waits until it can be another one's turn: at once where no change waits, else they come one after the other.
    pub(super) async fn turn(&self) {
        let mut pending = self.changed.subscribe();
        let _ = timeout(TURN, pending.wait_for(HashSet::is_empty)).await;
    }

    /// It is the turn of this one.
    pub(super) fn give_turn(&self, server: &ServerRef) {
        if !self.changed.borrow().is_empty() {
            self.turns().insert(server.clone());
        }
    }

    /// Whether what is new about a server may be told, which nobody has changed: it does not wait for its turn again.
    pub(super) fn is_turn_of(&self, server: &ServerRef) -> bool {
        let was_given = self.turns().remove(server);
        was_given || self.changed.borrow().is_empty()
    }

    fn turns(&self) -> MutexGuard<'_, HashSet<ServerRef>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::ObjectRef;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn others_wait_but_not_for_ever() {
        let pending = Pending::default();
        let server: ServerRef = ObjectRef::new("a").within("tools");
        let began = Instant::now();
        pending.none().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        pending.add(&server);
        let ends_soon = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(pending.remove(&server) && !pending.remove(&server));
        };
        tokio::join!(pending.none(), ends_soon);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        pending.add(&server);
        pending.none().await;
        assert_eq!(began.elapsed(), Duration::from_secs(1) + PATIENCE);
    }

    #[tokio::test]
    async fn who_gives_way_is_told_about_in_its_turn() {
        let pending = Pending::default();
        let [new, other] = ["new", "other"].map(|name| ObjectRef::new(name).within("tools"));
        assert!(pending.is_turn_of(&other));
        pending.add(&new);
        assert!(!pending.is_turn_of(&other));
        pending.give_turn(&other);
        assert!(pending.is_turn_of(&other) && !pending.is_turn_of(&other));
        pending.give_turn(&other);
        pending.forget(&other);
        assert!(!pending.is_turn_of(&other), "nothing is kept of it");
        pending.remove(&new);
        assert!(pending.is_turn_of(&other));
    }
}
