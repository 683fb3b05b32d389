//! Registrars in memory: the other side of the hand-over's seam.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::desired_entries::RegistrationEntry;
use mcp_operator_core::handover::RegistrarFootprint;
use mcp_operator_core::registration_plan::{
    Action, ConfigKey, ConfigKeyWrite, Observation, Observed, Plan, Registration, RolloutObstacle,
    State, Step, WorkloadState,
};
use mcp_operator_core::server_key::ServerKey;
use tokio::sync::Notify;

use crate::error::RegistrationError;
use crate::execute::ExecutionOutcome;
use crate::plan::PlannedRegistration;
use crate::record::{HandoverRecord, RecordedRegistrar};
use crate::registrars::{RecordStore, Registrar, Registrars};
use crate::test_records::FakeRecords;

/// A server that should be registered.
pub(crate) fn entry(name: &str) -> RegistrationEntry {
    RegistrationEntry {
        key: ServerKey::new("tools", name),
        uid: name.into(),
        created: String::new(),
        labels: Vec::new(),
        url: format!("http://{name}.tools/mcp"),
        is_remote: false,
        transport: "http",
        description: String::new(),
        access_groups: Vec::new(),
        allowed_tools: None,
        extra: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Named by its plugin and a version of one digit: `a1`.
#[derive(Debug)]
pub(crate) struct FakeRegistrar {
    id: String,
    uid: &'static str,
    spec: String,
}

impl FakeRegistrar {
    pub(crate) fn new(id: &str) -> Arc<Self> {
        Self::with_uid(id, "1")
    }

    pub(crate) fn with_uid(id: &str, uid: &'static str) -> Arc<Self> {
        Arc::new(Self {
            id: id.to_owned(),
            uid,
            spec: format!(r#"{{"version":{}}}"#, &id[1..]),
        })
    }

    fn of(recorded: &RecordedRegistrar) -> Arc<Self> {
        let version: String = recorded
            .spec
            .get()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        Self::new(&format!("{}{version}", recorded.plugin))
    }
}

impl Registrar for FakeRegistrar {
    fn name(&self) -> &str {
        &self.id[..1]
    }

    fn uid(&self) -> &str {
        self.uid
    }

    fn spec(&self) -> &str {
        &self.spec
    }

    fn fingerprint(&self) -> &str {
        &self.id
    }
}

/// How the drain of a registrar goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Drain {
    #[default]
    AtOnce,
    /// Pods are being replaced.
    InProgress,
    /// Its service cannot be reached.
    Unreachable,
    /// Its steps fail.
    StepsFail,
    /// Somebody else's rollout is going on.
    RolloutWaits,
}

/// What comes of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Planning {
    #[default]
    Works,
    Fails,
    /// None of the servers can be registered.
    RefusesAll,
    /// Something is on its way.
    Pending,
}

/// What a registrar does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    /// Where it registers; by default a location of its own.
    pub(crate) locations: Option<BTreeSet<String>>,
    /// It cannot say where it registers.
    pub(crate) describe_fails: bool,
    pub(crate) planning: Planning,
    pub(crate) drain: Drain,
    /// It restarts the gateway.
    pub(crate) has_workloads: bool,
    /// Why a rollout of the gateway does not come to its end.
    pub(crate) obstacle: Option<RolloutObstacle>,
    /// Its component is gone.
    pub(crate) is_unloadable: bool,
}

impl Behaviour {
    pub(crate) fn is_stuck(&self) -> bool {
        let stuck = matches!(self.drain, Drain::Unreachable | Drain::StepsFail);
        stuck || self.describe_fails || self.planning == Planning::Fails || self.is_unloadable
    }
}

/// Registrars, and what they have registered.
#[derive(Default)]
pub(crate) struct FakeRegistrars {
    pub(crate) candidates: Mutex<Vec<Arc<FakeRegistrar>>>,
    pub(crate) behaviours: Mutex<HashMap<String, Behaviour>>,
    /// Locations where something is registered.
    pub(crate) registered: Mutex<BTreeSet<String>>,
    /// Registrars that carried out a plan with servers, in this order.
    pub(crate) registrations: Mutex<Vec<String>>,
    /// The record when servers were registered last.
    pub(crate) records: Arc<FakeRecords>,
    pub(crate) record_at_registration: Mutex<Option<HandoverRecord>>,
    /// Each step waits until the test lets it go on.
    pub(crate) held_up: Option<Arc<HeldUp>>,
}

/// A step that has begun and does not end.
#[derive(Default)]
pub(crate) struct HeldUp {
    pub(crate) begun: Notify,
    pub(crate) released: Notify,
}

impl FakeRegistrars {
    pub(crate) fn behaviour(&self, id: &str) -> Behaviour {
        lock(&self.behaviours).get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Behaviour)) {
        change(lock(&self.behaviours).entry(id.to_owned()).or_default());
    }

    pub(crate) fn locations(&self, id: &str) -> BTreeSet<String> {
        let locations = self.behaviour(id).locations;
        locations.unwrap_or_else(|| [id[..1].to_owned()].into())
    }

    pub(crate) fn set_candidates(&self, ids: &[&str]) {
        *lock(&self.candidates) = ids.iter().map(|id| FakeRegistrar::new(id)).collect();
    }
}

fn failure(what: &str) -> RegistrationError {
    RegistrationError::Plugin(PluginFailure {
        category: "Trapped",
        guest: true,
        message: what.to_owned(),
    })
}

/// A step of a registrar: `Some` registers servers, `None` clears.
fn step(id: &str, content: Option<String>) -> Step {
    let key = ConfigKey {
        namespace: "litellm".into(),
        name: id.into(),
        key: "servers".into(),
    };
    Step {
        action: Action::WriteConfigKey(ConfigKeyWrite { key, content }),
        servers: Vec::new(),
    }
}

fn observation(state: Observed) -> Observation {
    Observation {
        id: "gateway".into(),
        state,
    }
}

impl Registrars for FakeRegistrars {
    type Registrar = FakeRegistrar;

    fn candidates(&self) -> Vec<Arc<FakeRegistrar>> {
        lock(&self.candidates).clone()
    }

    async fn describe(
        &self,
        registrar: &FakeRegistrar,
    ) -> Result<RegistrarFootprint, RegistrationError> {
        if self.behaviour(&registrar.id).describe_fails {
            return Err(failure("it does not know where"));
        }
        Ok(RegistrarFootprint {
            component: registrar.name().to_owned(),
            locations: self.locations(&registrar.id),
        })
    }

    async fn plan(
        &self,
        registrar: &FakeRegistrar,
        servers: &[RegistrationEntry],
    ) -> Result<PlannedRegistration, RegistrationError> {
        let behaviour = self.behaviour(&registrar.id);
        if behaviour.planning == Planning::Fails {
            return Err(failure("it traps"));
        }
        let mut planned = PlannedRegistration::default();
        if behaviour.has_workloads {
            let complete = WorkloadState {
                rolled_to: None,
                complete: true,
                message: String::new(),
                obstacle: behaviour.obstacle.clone(),
            };
            let gateway = observation(Observed::Workload(Some(complete)));
            planned.observations.push(gateway);
        }
        if servers.is_empty() {
            let locations = self.locations(&registrar.id);
            let is_left = !lock(&self.registered).is_disjoint(&locations);
            match behaviour.drain {
                Drain::Unreachable => {
                    let gone = Observed::Unavailable("nobody answers".into());
                    planned.observations.push(observation(gone));
                }
                Drain::InProgress if is_left => {
                    let rollout = WorkloadState {
                        rolled_to: None,
                        complete: false,
                        message: "1 of 2".into(),
                        obstacle: None,
                    };
                    let rollout = observation(Observed::Workload(Some(rollout)));
                    planned.observations.push(rollout);
                }
                _ if is_left => planned.plan.steps.push(step(&registrar.id, None)),
                _ => {}
            }
            return Ok(planned);
        }
        let state = match behaviour.planning {
            Planning::RefusesAll => State::Refused,
            Planning::Pending => State::Pending,
            Planning::Works | Planning::Fails => State::Registered,
        };
        let registrations = servers.iter().map(|server| Registration {
            server: server.key.to_string(),
            registered_name: server.key.name.clone(),
            state,
            reason: format!("{state:?}"),
            message: "says the registrar".into(),
        });
        let content = Some(format!("{} servers", servers.len()));
        planned.plan = Plan {
            registrations: registrations.collect(),
            steps: vec![step(&registrar.id, content)],
        };
        Ok(planned)
    }

    async fn execute(&self, planned: &PlannedRegistration) -> ExecutionOutcome {
        let mut outcome = ExecutionOutcome::default();
        for step in &planned.plan.steps {
            let Action::WriteConfigKey(write) = &step.action else {
                continue;
            };
            if let Some(held_up) = &self.held_up {
                held_up.begun.notify_one();
                held_up.released.notified().await;
            }
            let id = &write.key.name;
            if write.content.is_some() {
                lock(&self.registered).extend(self.locations(id));
                lock(&self.registrations).push(id.clone());
                *lock(&self.record_at_registration) = self.records.read().await.ok();
                outcome.done.push(step.clone());
                continue;
            }
            let error = match self.behaviour(id).drain {
                Drain::StepsFail => failure("the step failed"),
                Drain::RolloutWaits => RegistrationError::RolloutWaiting {
                    workload: "Deployment litellm/proxy".into(),
                    message: "1 of 2".into(),
                },
                _ => {
                    let locations = self.locations(id);
                    lock(&self.registered).retain(|location| !locations.contains(location));
                    outcome.done.push(step.clone());
                    continue;
                }
            };
            outcome.failed.push((step.clone(), error));
        }
        outcome
    }

    async fn activate_recorded(
        &self,
        recorded: &RecordedRegistrar,
    ) -> Result<Arc<FakeRegistrar>, String> {
        let registrar = FakeRegistrar::of(recorded);
        if self.behaviour(&registrar.id).is_unloadable {
            return Err("its component is gone".into());
        }
        Ok(registrar)
    }
}

/// Shows a recorded registrar as `a1`.
pub(crate) fn id_of(recorded: &RecordedRegistrar) -> String {
    FakeRegistrar::of(recorded).id.clone()
}
