//! What passes leave to later ones, for as long as a server is there.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;

use super::backoff::Backoff;
use super::pending::Pending;
use super::reference::Guarded;
use super::settled::Settled;
use super::told::Told;

/// What passes leave to later ones. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Memory {
    /// Who changed and was not acted on yet.
    pub(super) pending: Pending,
    /// Whose objects are as they should be.
    pub(super) settled: Arc<Settled>,
    /// The status that was written last.
    pub(super) told: Told,
    /// Who failed how often.
    pub(super) backoff: Arc<Backoff>,
}

impl Memory {
    /// Forgets what the watch has caught up with, and everything about a server that is gone.
    pub(super) fn seen(&self, event: &Event<Guarded>) {
        self.told.seen(event);
        if let Event::Delete(server) = event {
            let reference = ObjectRef::from_obj(server);
            self.settled.forget(&reference);
            let namespace = server.namespace().unwrap_or_default();
            self.backoff
                .reset(&format!("{namespace}/{}", server.name_any()));
        }
    }
}
