//! Which registrar registers in a pass.

use std::sync::Arc;

use crate::error::RegistrationError;

/// Which registrar registers in this pass.
pub(crate) enum Selection<R> {
    /// No plugin is a registrar.
    NoRegistrar,
    /// The candidate fails its dry run, and none is active before it.
    CandidateFailed {
        candidate: Arc<R>,
        error: RegistrationError,
    },
    /// Nobody, until another one is drained.
    Draining {
        /// Registers after that.
        registrar: Arc<R>,
        waiting: Option<WaitingCandidate<R>>,
        /// Name of the one that is drained.
        previous: String,
        /// How far it is.
        progress: String,
    },
    /// This one.
    Active {
        registrar: Arc<R>,
        waiting: Option<WaitingCandidate<R>>,
        /// What could not be drained, and why.
        drain_stuck: Option<String>,
    },
}

/// A registrar that should be active and cannot be yet: the one before goes on.
pub(crate) struct WaitingCandidate<R> {
    pub(crate) candidate: Arc<R>,
    pub(crate) reason: String,
}
