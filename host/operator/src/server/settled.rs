//! What a pass depended on that found everything as it should be: while that stays, passes only tell how a server stands.
//!
//! A rollout wakes a server many times. To ask the plugins and to compare all objects each time would cost more than all
//! the rest.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::reference::ServerRef;

/// After this everything is looked at, whatever seems to be the same.
const TRUST: Duration = Duration::from_mins(30);

/// What passes depended on that found everything as it should be, by server.
#[derive(Default)]
pub(super) struct Settled(Mutex<HashMap<ServerRef, (u64, Instant)>>);

impl Settled {
    /// Whether nothing has changed since everything was as it should be.
    pub(super) fn is(&self, server: &ServerRef, basis: u64) -> bool {
        let settled = self.lock();
        let known = settled.get(server);
        known.is_some_and(|(known, since)| *known == basis && since.elapsed() < TRUST)
    }

    /// Notes that everything is as it should be.
    pub(super) fn remember(&self, server: ServerRef, basis: u64) {
        self.lock().insert(server, (basis, Instant::now()));
    }

    /// Forgets a server that is not as it should be, or is going.
    pub(super) fn forget(&self, server: &ServerRef) {
        self.lock().remove(server);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerRef, (u64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::ObjectRef;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_settled_is_trusted_for_a_while() {
        let settled = Settled::default();
        let server: ServerRef = ObjectRef::new("a").within("tools");
        assert!(!settled.is(&server, 1));
        settled.remember(server.clone(), 1);
        assert!(settled.is(&server, 1));
        assert!(!settled.is(&server, 2), "something else decides now");
        advance(TRUST).await;
        assert!(!settled.is(&server, 1));
        settled.remember(server.clone(), 1);
        settled.forget(&server);
        assert!(!settled.is(&server, 1));
    }
}
