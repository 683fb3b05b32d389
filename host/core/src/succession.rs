//! When one registrar takes over from another: the one that leaves leaves nothing behind, and the one that comes is known
//! to work before.

use std::collections::BTreeSet;

use crate::registration::{Observation, Observed, Plan, Read, Source, State};

/// A registrar, as far as it matters for its succession.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrar {
    /// Name that the component gives itself.
    pub component: String,
    /// Where it may have left something.
    pub places: BTreeSet<String>,
}

impl Registrar {
    /// A registrar that reads this. `base_url` knows the connections of its MCPPlugin. What is only looked at is no place:
    /// nothing of the registrar is left there.
    pub fn new(component: &str, reads: &[Read], base_url: impl Fn(&str) -> Option<String>) -> Self {
        let place = |read: &Read| match &read.source {
            Source::ConfigKey(key) => Some(format!(
                "key {} of ConfigMap {}/{}",
                key.key, key.namespace, key.name
            )),
            Source::Http(request) => base_url(&request.connection),
            // Replacing pods leaves nothing behind.
            Source::Workload(_) => None,
        };
        Self {
            component: component.to_owned(),
            places: reads
                .iter()
                .filter(|read| read.written)
                .filter_map(place)
                .collect(),
        }
    }

    /// Whether this one must clear its places before the other registers. Not if the other is a new version of it, or has
    /// other settings, and still looks at all of them: then its plan knows what is no longer wanted.
    pub fn must_leave_before(&self, other: &Self) -> bool {
        self.component != other.component || !self.places.is_subset(&other.places)
    }
}

/// Whether a registrar that has not registered anything yet could. What it says is taken from its plan for all servers.
///
/// # Errors
/// Why not, as a sentence.
pub fn can_take_over(observations: &[Observation], plan: &Plan) -> Result<(), String> {
    let refused =
        |registration: &&crate::registration::Registration| registration.state == State::Refused;
    if let Some(why) = observations.iter().find_map(obstacle) {
        let said = plan.registrations.iter().find(refused);
        return Err(said.map_or(why, |registration| registration.message.clone()));
    }
    match plan.registrations.first() {
        Some(first) if plan.registrations.iter().all(|each| refused(&each)) => {
            Err(first.message.clone())
        }
        _ => Ok(()),
    }
}

/// How far a registrar is that has to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Nothing of it is left.
    Done,
    /// It takes a while: what for.
    Going(String),
    /// It cannot be told or changed; nobody should wait for it.
    Stuck(String),
}

/// How far a registrar is, by what was observed and its plan for no servers.
pub fn departure(observations: &[Observation], plan: &Plan) -> Departure {
    if let Some(why) = observations
        .iter()
        .filter(|observation| !matches!(observation.state, Observed::Workload(None)))
        .find_map(obstacle)
    {
        return Departure::Stuck(why);
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
        (Some(rollout), _) => Departure::Going(rollout),
        (None, Some(step)) => Departure::Going(step.action.to_string()),
        (None, None) => Departure::Done,
    }
}

/// Whether an observation shows all that is there, so that a plan made from it knows of everything that is left.
pub fn is_clear(observation: &Observation) -> bool {
    matches!(observation.state, Observed::Workload(None))
        || obstacle(observation).is_none() && !observation.state.is_passing()
}

/// Why an observation shows that nothing can be done there.
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
#[path = "succession_tests.rs"]
mod tests;
