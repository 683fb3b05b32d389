//! The hand-over from one registrar to another: the new one must be able to register before it is chosen, and the old one is
//! drained, so that it leaves no registration behind.

use std::collections::BTreeSet;

use crate::registration_plan::{Observation, Observed, Plan, Read, Registration, Source, State};

/// Where a registrar may have left registrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarFootprint {
    /// Name that the component gives itself.
    pub component: String,
    /// ConfigMap keys and base URLs that the registrar writes to.
    pub locations: BTreeSet<String>,
}

impl RegistrarFootprint {
    /// The footprint of a registrar with these reads. `base_url` knows the connections of its MCPPlugin. What the registrar
    /// only reads does not count.
    pub fn new(component: &str, reads: &[Read], base_url: impl Fn(&str) -> Option<String>) -> Self {
        let location = |read: &Read| match &read.source {
            Source::ConfigKey(key) => Some(format!(
                "key {} of ConfigMap {}/{}",
                key.key, key.namespace, key.name
            )),
            Source::Http(request) => base_url(&request.connection),
            // Replacing pods leaves no registration behind.
            Source::Workload(_) => None,
        };
        Self {
            component: component.to_owned(),
            locations: reads
                .iter()
                .filter(|read| read.written)
                .filter_map(location)
                .collect(),
        }
    }

    /// Whether this registrar must be drained before the other one registers. Not if the other one is a new version of the same
    /// component, or the same with other settings, that still covers all locations: then its own plan removes what is no
    /// longer wanted.
    pub fn must_drain_before(&self, other: &Self) -> bool {
        self.component != other.component || !self.locations.is_subset(&other.locations)
    }
}

/// Whether a registrar that has not registered anything yet could do so, by what it observed and its plan for all servers.
///
/// # Errors
/// The reason why not, as a sentence: the registrar's own where it gives one.
pub fn can_take_over(observations: &[Observation], plan: &Plan) -> Result<(), String> {
    let refused = |registration: &&Registration| registration.state == State::Refused;
    if let Some(why) = observations.iter().find_map(obstacle) {
        let refusal = plan.registrations.iter().find(refused);
        return Err(refusal.map_or(why, |registration| registration.message.clone()));
    }
    match plan.registrations.first() {
        Some(first) if plan.registrations.iter().all(|each| refused(&each)) => {
            Err(first.message.clone())
        }
        _ => Ok(()),
    }
}

/// How far the draining of a registrar has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrainState {
    /// No registration of it is left.
    Done,
    /// Something is still to be done or waited for: what.
    InProgress(String),
    /// What is left cannot be observed or removed, and may never be: why. The hand-over should not wait for it.
    Stuck(String),
}

/// How far the draining of a registrar has come, by what it observed and its plan for no servers.
pub fn drain_state(observations: &[Observation], plan: &Plan) -> DrainState {
    if let Some(why) = observations
        .iter()
        .filter(|observation| !matches!(observation.state, Observed::Workload(None)))
        .find_map(obstacle)
    {
        return DrainState::Stuck(why);
    }
    let rollout = observations
        .iter()
        .find_map(|observation| match &observation.state {
            Observed::Workload(Some(state)) if !state.complete => {
                Some(format!("{}: {}", observation.id, state.message))
            }
            _ => None,
        });
    match (rollout, plan.steps.first()) {
        (Some(rollout), _) => DrainState::InProgress(rollout),
        (None, Some(step)) => DrainState::InProgress(step.action.to_string()),
        (None, None) => DrainState::Done,
    }
}

/// Whether an observation shows all registrations at its location, so that a plan made from it removes all of them.
pub fn shows_everything(observation: &Observation) -> bool {
    matches!(observation.state, Observed::Workload(None))
        || obstacle(observation).is_none() && !observation.state.is_transient()
}

/// Why nothing can be registered or removed where this was observed.
fn obstacle(observation: &Observation) -> Option<String> {
    match &observation.state {
        Observed::Unavailable(why) => Some(why.clone()),
        Observed::Http(answer) if answer.status >= 400 && answer.status != 404 => Some(format!(
            "{} is answered with HTTP {}",
            observation.id, answer.status
        )),
        Observed::Workload(None) => Some(format!("{} does not exist", observation.id)),
        Observed::Http(_) | Observed::ConfigKey(_) | Observed::Workload(Some(_)) => None,
    }
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;
