//! The hand-over: exactly one registrar is active. When another one replaces it, the one before is drained, so that it leaves
//! nothing behind.
//!
//! A candidate does a dry run first, also when it is but a new version of the active one: until it could register, the active
//! one goes on. Then that one is drained ([`crate::drain`]), and nobody registers until it is, unless it is stuck.

use std::sync::Arc;

use mcp_operator_core::desired_entries::RegistrationEntry;
use mcp_operator_core::handover::{DrainState, RegistrarFootprint, can_take_over};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::drain::{Draining, must_drain_before};
use crate::error::RegistrationError;
use crate::plan::PlannedRegistration;
use crate::record::{HandoverRecord, RecordedRegistrar};
use crate::registrars::{RecordStore, Registrar, Registrars};
use crate::selection::{Selection, WaitingCandidate};

/// Which registrars may have registered something: what the record says, loaded.
struct Loaded<R> {
    active: Option<Arc<R>>,
    draining: Vec<Draining<R>>,
}

/// Hands over from one registrar to another, in as many passes as it takes.
pub(crate) struct RegistrarHandover<R, S> {
    records: S,
    /// Nothing until the record was read, and after an error.
    loaded: Option<Loaded<R>>,
    /// No further step begins after it.
    stop: CancellationToken,
}

/// Which registrar could be active.
enum Appointment<R> {
    /// The candidate.
    Active(Arc<R>),
    /// The one before, since the candidate cannot register yet.
    Previous(Arc<R>, WaitingCandidate<R>),
    /// None: the candidate fails, and there is none before it.
    Failed(Arc<R>, RegistrationError),
}

impl<R: Registrar, S: RecordStore> RegistrarHandover<R, S> {
    pub(crate) fn new(records: S, stop: CancellationToken) -> Self {
        Self {
            records,
            loaded: None,
            stop,
        }
    }

    /// Selects the registrar, and drains those before it. `candidates` by priority: the first one should be active.
    pub(crate) async fn select<W>(
        &mut self,
        world: &W,
        candidates: &[Arc<R>],
        servers: &[RegistrationEntry],
    ) -> Result<Selection<R>, RegistrationError>
    where
        W: Registrars<Registrar = R>,
    {
        let mut loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => load(world, candidates, self.records.read().await?).await,
        };
        let selected = match candidates.first() {
            None => Ok(Selection::NoRegistrar),
            Some(candidate) => {
                let pass = HandoverPass {
                    world,
                    candidates,
                    records: &self.records,
                    stop: &self.stop,
                };
                pass.hand_over(&mut loaded, candidate, servers).await
            }
        };
        // A write that failed may be done all the same: then the record says more than what is remembered.
        self.loaded = selected.is_ok().then_some(loaded);
        selected
    }
}

/// After a start: what the record says.
async fn load<W: Registrars>(
    world: &W,
    candidates: &[Arc<W::Registrar>],
    record: HandoverRecord,
) -> Loaded<W::Registrar> {
    let mut loaded = Loaded {
        active: None,
        draining: Vec::new(),
    };
    if let Some(recorded) = record.active {
        match find(world, candidates, &recorded).await {
            Ok(registrar) => loaded.active = Some(registrar),
            Err(why) => {
                warn!(
                    plugin = recorded.plugin,
                    error = why,
                    "the last registrar cannot be asked any more"
                );
                loaded.draining.push(Draining {
                    recorded,
                    registrar: Err(why),
                });
            }
        }
    }
    for recorded in record.draining {
        let registrar = find(world, candidates, &recorded).await;
        loaded.draining.push(Draining {
            recorded,
            registrar,
        });
    }
    loaded
}

/// The registrar of a record: as it is in force, or put into force again.
async fn find<W: Registrars>(
    world: &W,
    candidates: &[Arc<W::Registrar>],
    recorded: &RecordedRegistrar,
) -> Result<Arc<W::Registrar>, String> {
    let mut in_force = candidates.iter();
    match in_force.find(|candidate| recorded.is(&***candidate)) {
        Some(registrar) => Ok(registrar.clone()),
        None => world.activate_recorded(recorded).await,
    }
}

/// What one pass of the hand-over needs.
struct HandoverPass<'a, W: Registrars, S> {
    world: &'a W,
    candidates: &'a [Arc<W::Registrar>],
    records: &'a S,
    stop: &'a CancellationToken,
}

impl<W: Registrars, S: RecordStore> HandoverPass<'_, W, S> {
    async fn hand_over(
        &self,
        loaded: &mut Loaded<W::Registrar>,
        candidate: &Arc<W::Registrar>,
        servers: &[RegistrationEntry],
    ) -> Result<Selection<W::Registrar>, RegistrationError> {
        let (registrar, waiting) = match self.appoint(loaded, candidate, servers).await? {
            Appointment::Active(registrar) => (registrar, None),
            Appointment::Previous(registrar, waiting) => (registrar, Some(waiting)),
            Appointment::Failed(candidate, error) => {
                return Ok(Selection::CandidateFailed { candidate, error });
            }
        };
        let mut drain_stuck = None;
        for (previous, state) in self.drain_all(loaded, &registrar).await? {
            match state {
                DrainState::Done => {}
                DrainState::InProgress(progress) => {
                    return Ok(Selection::Draining {
                        registrar,
                        waiting,
                        previous,
                        progress,
                    });
                }
                DrainState::Stuck(why) => {
                    let record = self.records.location();
                    drain_stuck = Some(format!(
                        "{previous} cannot clear what it registered: {why}. To give that up, delete {record} and restart the operator"
                    ));
                }
            }
        }
        Ok(Selection::Active {
            registrar,
            waiting,
            drain_stuck,
        })
    }

    /// Makes the candidate the active one, or says why it waits.
    async fn appoint(
        &self,
        loaded: &mut Loaded<W::Registrar>,
        candidate: &Arc<W::Registrar>,
        servers: &[RegistrationEntry],
    ) -> Result<Appointment<W::Registrar>, RegistrationError> {
        let previous = loaded.active.clone();
        let is_same =
            |previous: &Arc<W::Registrar>| previous.fingerprint() == candidate.fingerprint();
        if previous.as_ref().is_some_and(is_same) {
            return Ok(Appointment::Active(candidate.clone()));
        }
        let waits = |reason| WaitingCandidate {
            candidate: candidate.clone(),
            reason,
        };
        let (footprint, planned) = match (self.dry_run(candidate, servers).await, &previous) {
            (Ok(dry_run), _) => dry_run,
            (Err(error), Some(previous)) => {
                let waiting = waits(error.to_string());
                return Ok(Appointment::Previous(previous.clone(), waiting));
            }
            (Err(error), None) => return Ok(Appointment::Failed(candidate.clone(), error)),
        };
        // Nobody is named twice, however often registrars change before they are drained.
        let mut draining = loaded.draining.clone();
        draining.retain(|other| !other.recorded.is(&**candidate));
        if let Some(previous) = previous
            && must_drain_before(self.world, &*previous, &footprint).await
        {
            if let Err(reason) = can_take_over(&planned.observations, &planned.plan) {
                return Ok(Appointment::Previous(previous, waits(reason)));
            }
            info!(
                from = previous.name(),
                to = candidate.name(),
                "another registrar takes over"
            );
            draining.retain(|other| !other.recorded.is(&*previous));
            draining.push(Draining {
                recorded: RecordedRegistrar::of(&*previous)?,
                registrar: Ok(previous),
            });
        }
        // First the record: what is registered from now on would otherwise be lost with a crash. If it cannot be written,
        // nothing has changed, and the next pass begins anew.
        self.write_record(Some(candidate), &draining).await?;
        *loaded = Loaded {
            active: Some(candidate.clone()),
            draining,
        };
        Ok(Appointment::Active(candidate.clone()))
    }

    /// Asks a registrar that has not registered yet what it would do.
    async fn dry_run(
        &self,
        candidate: &W::Registrar,
        servers: &[RegistrationEntry],
    ) -> Result<(RegistrarFootprint, PlannedRegistration), RegistrationError> {
        let footprint = self.world.describe(candidate).await?;
        let planned = self.world.plan(candidate, servers).await?;
        Ok((footprint, planned))
    }

    /// Drains each as far as it goes now: its name, and how far it is. Those that are done are forgotten.
    async fn drain_all(
        &self,
        loaded: &mut Loaded<W::Registrar>,
        active: &W::Registrar,
    ) -> Result<Vec<(String, DrainState)>, RegistrationError> {
        if loaded.draining.is_empty() {
            return Ok(Vec::new());
        }
        let footprint = self.world.describe(active).await?;
        let (mut states, mut remaining) = (Vec::new(), Vec::new());
        for draining in &mut loaded.draining {
            if draining.registrar.is_err() {
                draining.registrar = find(self.world, self.candidates, &draining.recorded).await;
            }
            let state = draining
                .advance(self.world, active, &footprint, self.stop)
                .await;
            let plugin = &draining.recorded.plugin;
            info!(plugin, ?state, "a registrar leaves");
            states.push((plugin.clone(), state.clone()));
            if state != DrainState::Done {
                remaining.push(draining.clone());
            }
        }
        if remaining.len() != loaded.draining.len() {
            self.write_record(loaded.active.as_ref(), &remaining)
                .await?;
            loaded.draining = remaining;
        }
        Ok(states)
    }

    async fn write_record(
        &self,
        active: Option<&Arc<W::Registrar>>,
        draining: &[Draining<W::Registrar>],
    ) -> Result<(), RegistrationError> {
        let active = active.map(|registrar| RecordedRegistrar::of(&**registrar));
        let record = HandoverRecord {
            active: active.transpose()?,
            draining: draining
                .iter()
                .map(|draining| draining.recorded.clone())
                .collect(),
        };
        self.records.write(&record).await
    }
}

#[cfg(test)]
mod exploration;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod test_handover;
#[cfg(test)]
mod tests;
