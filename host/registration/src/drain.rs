//! Drains a registrar that was replaced: it plans for no servers, until nothing of it is left. One that cannot be reached any
//! more is not waited for.

use std::sync::Arc;

use mcp_operator_core::handover::{DrainState, RegistrarFootprint, drain_state};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::RegistrationError;
use crate::record::RecordedRegistrar;
use crate::registrars::{Registrar, Registrars};

/// Plans of a registrar that is drained, in one pass: it writes, rolls, and may then be done.
const PLANS: usize = 3;

/// A registrar that is drained.
pub(crate) struct Draining<R> {
    pub(crate) recorded: RecordedRegistrar,
    /// Or why it cannot be put into force again.
    pub(crate) registrar: Result<Arc<R>, String>,
}

// Not derived: that would ask the registrar itself to be cloneable.
impl<R> Clone for Draining<R> {
    fn clone(&self) -> Self {
        Self {
            recorded: self.recorded.clone(),
            registrar: self.registrar.clone(),
        }
    }
}

impl<R: Registrar> Draining<R> {
    /// Drains it as far as it goes now. Its locations that the active registrar looks after, too, are that one's already: to
    /// clear them would take everybody out. So one that cannot say where they are is not told to clear anything.
    pub(crate) async fn advance<W>(
        &self,
        world: &W,
        active: &R,
        footprint: &RegistrarFootprint,
        stop: &CancellationToken,
    ) -> DrainState
    where
        W: Registrars<Registrar = R>,
    {
        if self.recorded.is(active) {
            return DrainState::Done;
        }
        let registrar = match &self.registrar {
            Ok(registrar) => registrar,
            Err(why) => return DrainState::Stuck(why.clone()),
        };
        match world.describe(registrar).await {
            Ok(old) if old.must_drain_before(footprint) => drain(world, &**registrar, stop).await,
            Ok(_) => DrainState::Done,
            Err(error) => DrainState::Stuck(error.to_string()),
        }
    }
}

/// Whether a registrar must clear its locations before another one registers. One that cannot say any more where they are
/// must: nobody else knows them.
pub(crate) async fn must_drain_before<W: Registrars>(
    world: &W,
    previous: &W::Registrar,
    next: &RegistrarFootprint,
) -> bool {
    match world.describe(previous).await {
        Ok(footprint) => footprint.must_drain_before(next),
        Err(error) => {
            warn!(plugin = previous.name(), %error, "a registrar cannot say where it registers");
            true
        }
    }
}

/// Carries out its plan for no servers.
async fn drain<W: Registrars>(
    world: &W,
    registrar: &W::Registrar,
    stop: &CancellationToken,
) -> DrainState {
    let mut state = DrainState::Done;
    for _ in 0..PLANS {
        let planned = match world.plan(registrar, &[]).await {
            Ok(planned) => planned,
            Err(error) => return DrainState::Stuck(error.to_string()),
        };
        state = drain_state(&planned.observations, &planned.plan);
        let is_going_on = matches!(state, DrainState::InProgress(_));
        if !is_going_on || planned.plan.steps.is_empty() || stop.is_cancelled() {
            return state;
        }
        let outcome = world.execute(&planned).await;
        if let Some((_, error)) = outcome.failed.into_iter().next() {
            // Somebody else's rollout ends, too.
            return match error {
                RegistrationError::RolloutWaiting { .. } => {
                    DrainState::InProgress(error.to_string())
                }
                _ => DrainState::Stuck(error.to_string()),
            };
        }
    }
    state
}
