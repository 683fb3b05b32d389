//! All that can happen to a hand-over in a small world: three registrars, up to three servers, two replicas of which one leads
//! at a time, and after every single write a crash, a failure, or an answer that is lost; in every order.
//!
//! The hand-over and the drain are the code that runs. What is small is what they meet: registrars that register each server
//! by a write of its own, and a record in memory. That no two replicas lead is the lease's business, and explored there:
//! another one that leads is here one that begins by reading the record.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use mcp_operator_core::admission::PluginFailure;
use mcp_operator_core::desired_entries::RegistrationEntry;
use mcp_operator_core::handover::RegistrarFootprint;
use mcp_operator_core::registration_plan::{
    Action, ConfigKey, ConfigKeyWrite, Observation, Observed, Step,
};
use tokio_util::sync::CancellationToken;

use super::{Loaded, RegistrarHandover};
use crate::drain::Draining;
use crate::error::RegistrationError;
use crate::execute::ExecutionOutcome;
use crate::plan::PlannedRegistration;
use crate::record::{HandoverRecord, RecordedRegistrar};
use crate::registrars::{RecordStore, Registrar, Registrars};
use crate::selection::Selection;
use crate::test_registrars::{FakeRegistrar, entry, id_of, lock};

/// Each registers at a place of its own.
const REGISTRARS: [&str; 3] = ["a1", "b1", "c1"];
const SERVERS: [&str; 3] = ["x", "y", "z"];
/// How many of them come and go, where it is not one: three are more than twice as many states.
const LARGER: &str = "MCP_EXPLORE_SERVERS";
/// In so many passes everything is as it should be, once nothing fails any more.
const PASSES: usize = 3;

/// What is stored of the hand-over, or remembered: positions in [`REGISTRARS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Appointed {
    active: Option<usize>,
    draining: Vec<usize>,
}

/// A set of servers, a bit each.
type Servers = u8;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// Which registrar should be active.
    candidate: Option<usize>,
    wanted: Servers,
    /// Whose gateway nobody can reach.
    broken: Option<usize>,
    /// What each registrar has registered.
    registered: [Servers; 3],
    record: Appointed,
    /// What the leader remembers; nothing where it has just begun.
    memory: Option<Appointed>,
}

impl State {
    /// Servers are alike: which of them is called how makes no difference.
    fn canonical(mut self) -> Self {
        let mut columns = [0_u8; SERVERS.len()];
        for (server, column) in columns.iter_mut().enumerate() {
            for (bit, set) in self.registered.iter().chain([&self.wanted]).enumerate() {
                *column |= (set >> server & 1) << bit;
            }
        }
        columns.sort_unstable();
        let row = |bit: usize| {
            let columns = columns.iter().enumerate();
            columns.fold(0, |set, (server, column)| {
                set | (column >> bit & 1) << server
            })
        };
        self.registered = [row(0), row(1), row(2)];
        self.wanted = row(3);
        self
    }

    fn is_settled(&self) -> bool {
        let Some(candidate) = self.candidate else {
            return true;
        };
        let as_wanted = |(registrar, set): (usize, &Servers)| {
            *set == if registrar == candidate {
                self.wanted
            } else {
                0
            }
        };
        self.record.active == Some(candidate)
            && self.record.draining.is_empty()
            && self.registered.iter().enumerate().all(as_wanted)
    }
}

/// A write that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault {
    /// Which write of the pass.
    write: usize,
    /// Whether it is done all the same, and only its answer is lost.
    is_done: bool,
}

/// What a pass meets.
struct World {
    state: Mutex<State>,
    fault: Option<Fault>,
    /// After each write of the pass: what is stored, as whoever leads next finds it.
    stored: Mutex<Vec<State>>,
    /// A drain could not go on in this pass.
    is_stuck: Mutex<bool>,
}

fn position(id: &str) -> usize {
    REGISTRARS.iter().position(|it| *it == id).unwrap()
}

fn recorded(registrar: usize) -> RecordedRegistrar {
    RecordedRegistrar::of(&*FakeRegistrar::new(REGISTRARS[registrar])).unwrap()
}

fn fails() -> RegistrationError {
    RegistrationError::Plugin(PluginFailure {
        category: "ApiServerUnreachable",
        guest: false,
        message: "no answer".into(),
    })
}

/// A server that a registrar registers, or no longer.
fn step(registrar: usize, server: usize, registers: bool) -> Step {
    let key = ConfigKey {
        namespace: String::new(),
        name: REGISTRARS[registrar].into(),
        key: SERVERS[server].into(),
    };
    let content = registers.then(String::new);
    Step {
        action: Action::WriteConfigKey(ConfigKeyWrite { key, content }),
        servers: Vec::new(),
    }
}

impl World {
    fn new(state: State, fault: Option<Fault>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            fault,
            stored: Mutex::default(),
            is_stuck: Mutex::default(),
        })
    }

    fn write(&self, change: impl FnOnce(&mut State)) -> Result<(), RegistrationError> {
        let mut stored = lock(&self.stored);
        let fault = self.fault.filter(|fault| fault.write == stored.len());
        let mut state = lock(&self.state);
        if fault.is_none_or(|fault| fault.is_done) {
            change(&mut state);
        }
        let after = State {
            memory: None,
            ..state.clone()
        };
        stored.push(after);
        fault.map_or(Ok(()), |_| Err(fails()))
    }

    /// One server, by one write.
    fn carry_out(&self, write: &ConfigKeyWrite) -> Result<(), RegistrationError> {
        let registrar = position(&write.key.name);
        let server = SERVERS.iter().position(|it| *it == write.key.key).unwrap();
        let registers = write.content.is_some();
        if registers {
            self.assert_may_register(registrar, server);
        }
        let done = self.write(|state| {
            let set = &mut state.registered[registrar];
            *set = *set & !(1 << server) | u8::from(registers) << server;
        });
        if done.is_err() && !registers {
            *lock(&self.is_stuck) = true;
        }
        done
    }

    /// Nobody registers who is not recorded, or while something is left of another that can be removed.
    fn assert_may_register(&self, registrar: usize, server: usize) {
        let state = lock(&self.state);
        assert_eq!(
            state.record.active,
            Some(registrar),
            "not recorded: {state:#?}"
        );
        assert!(
            state.wanted >> server & 1 == 1,
            "nobody wants it: {state:#?}"
        );
        for (other, left) in state.registered.iter().enumerate() {
            let may_be_left = *left == 0 || other == registrar;
            let is_stuck = state.broken == Some(other) || *lock(&self.is_stuck);
            let is_remembered = state.record.draining.contains(&other);
            assert!(
                may_be_left || is_stuck && is_remembered,
                "{registrar} registers, and something is left of {other}: {state:#?}"
            );
        }
    }
}

impl RecordStore for Arc<World> {
    fn location(&self) -> &'static str {
        "the record"
    }

    async fn read(&self) -> Result<HandoverRecord, RegistrationError> {
        let record = lock(&self.state).record.clone();
        Ok(HandoverRecord {
            active: record.active.map(recorded),
            draining: record.draining.into_iter().map(recorded).collect(),
        })
    }

    async fn write(&self, record: &HandoverRecord) -> Result<(), RegistrationError> {
        let at = |recorded: &RecordedRegistrar| position(&id_of(recorded));
        let record = Appointed {
            active: record.active.as_ref().map(at),
            draining: record.draining.iter().map(at).collect(),
        };
        World::write(self, |state| state.record = record)
    }
}

impl Registrars for Arc<World> {
    type Registrar = FakeRegistrar;

    fn candidates(&self) -> Vec<Arc<FakeRegistrar>> {
        let candidate = lock(&self.state).candidate;
        let candidate = candidate.map(|registrar| FakeRegistrar::new(REGISTRARS[registrar]));
        candidate.into_iter().collect()
    }

    async fn describe(
        &self,
        registrar: &FakeRegistrar,
    ) -> Result<RegistrarFootprint, RegistrationError> {
        let name = registrar.name().to_owned();
        Ok(RegistrarFootprint {
            component: name.clone(),
            locations: [name].into(),
        })
    }

    async fn plan(
        &self,
        registrar: &FakeRegistrar,
        servers: &[RegistrationEntry],
    ) -> Result<PlannedRegistration, RegistrationError> {
        let state = lock(&self.state);
        let registrar = position(registrar.fingerprint());
        let mut planned = PlannedRegistration::default();
        if state.broken == Some(registrar) {
            planned.observations.push(Observation {
                id: "gateway".into(),
                state: Observed::Unavailable("nobody answers".into()),
            });
            return Ok(planned);
        }
        let names: Vec<&str> = servers
            .iter()
            .map(|server| server.key.name.as_str())
            .collect();
        for (server, name) in SERVERS.iter().enumerate() {
            let (is, should) = (
                state.registered[registrar] >> server & 1 == 1,
                names.contains(name),
            );
            if is != should {
                planned.plan.steps.push(step(registrar, server, should));
            }
        }
        Ok(planned)
    }

    async fn execute(&self, planned: &PlannedRegistration) -> ExecutionOutcome {
        let mut outcome = ExecutionOutcome::default();
        for step in &planned.plan.steps {
            let Action::WriteConfigKey(write) = &step.action else {
                continue;
            };
            match self.carry_out(write) {
                Ok(()) => outcome.done.push(step.clone()),
                Err(error) => outcome.failed.push((step.clone(), error)),
            }
        }
        outcome
    }

    async fn activate_recorded(
        &self,
        recorded: &RecordedRegistrar,
    ) -> Result<Arc<FakeRegistrar>, String> {
        Ok(FakeRegistrar::new(&id_of(recorded)))
    }
}

/// What comes of a pass: the state after it, and after each of its writes, if the process ends there.
struct Pass {
    after: State,
    crashed: Vec<State>,
}

/// One pass of the leader.
fn pass(state: &State, fault: Option<Fault>) -> Pass {
    let world = World::new(state.clone(), fault);
    let mut handover = RegistrarHandover::new(world.clone(), CancellationToken::new());
    handover.loaded = state.memory.as_ref().map(loaded);
    run(&world, &mut handover)
        .now_or_never()
        .expect("nothing is waited for");
    let memory = handover.loaded.as_ref().map(remembered);
    let after = State {
        memory,
        ..lock(&world.state).clone()
    };
    let crashed = lock(&world.stored).clone();
    Pass { after, crashed }
}

async fn run(world: &Arc<World>, handover: &mut RegistrarHandover<FakeRegistrar, Arc<World>>) {
    let wanted = lock(&world.state).wanted;
    let servers = SERVERS.iter().enumerate();
    let servers = servers.filter(|(server, _)| wanted >> server & 1 == 1);
    let servers: Vec<RegistrationEntry> = servers.map(|(_, name)| entry(name)).collect();
    let candidates = world.candidates();
    let selected = handover.select(world, &candidates, &servers).await;
    if let Ok(Selection::Active { registrar, .. }) = selected
        && let Ok(planned) = world.plan(&registrar, &servers).await
    {
        world.execute(&planned).await;
    }
}

fn loaded(memory: &Appointed) -> Loaded<FakeRegistrar> {
    let registrar = |at: &usize| FakeRegistrar::new(REGISTRARS[*at]);
    let draining = memory.draining.iter().map(|at| Draining {
        recorded: recorded(*at),
        registrar: Ok(registrar(at)),
    });
    Loaded {
        active: memory.active.as_ref().map(registrar),
        draining: draining.collect(),
    }
}

fn remembered(loaded: &Loaded<FakeRegistrar>) -> Appointed {
    let active = loaded.active.as_ref();
    let draining = loaded.draining.iter();
    Appointed {
        active: active.map(|registrar| position(registrar.fingerprint())),
        draining: draining.map(|it| position(&id_of(&it.recorded))).collect(),
    }
}

/// What may be otherwise before the next pass.
fn events(state: &State, servers: usize) -> Vec<State> {
    let mut events = Vec::new();
    for registrar in (0..REGISTRARS.len()).map(Some).chain([None]) {
        events.push(State {
            candidate: registrar,
            ..state.clone()
        });
        events.push(State {
            broken: registrar,
            ..state.clone()
        });
    }
    events.extend((0..servers).map(|server| State {
        wanted: state.wanted ^ 1 << server,
        ..state.clone()
    }));
    // The other replica leads, or this one began anew.
    events.push(State {
        memory: None,
        ..state.clone()
    });
    events
}

#[test]
fn in_no_order_of_events_do_two_register_and_in_the_end_everything_is_as_wanted() {
    let servers = std::env::var(LARGER).map_or(1, |number| number.parse().unwrap());
    let start = State::default();
    // Every state, and what a pass in which nothing fails makes of it.
    let mut known: HashMap<State, Option<State>> = HashMap::from([(start.clone(), None)]);
    let mut open = VecDeque::from([start]);
    let mut passes = 0_usize;
    while let Some(state) = open.pop_front() {
        let well = pass(&state, None);
        let writes = well.crashed.len();
        let mut next = events(&state, servers);
        for write in 0..writes {
            for is_done in [false, true] {
                next.push(pass(&state, Some(Fault { write, is_done })).after);
            }
        }
        passes += 1 + 2 * writes;
        next.extend(well.crashed);
        let after = well.after.canonical();
        next.push(after.clone());
        known.insert(state, Some(after));
        for state in next {
            if let Entry::Vacant(new) = known.entry(state.canonical()) {
                open.push_back(new.key().clone());
                new.insert(None);
            }
        }
    }
    for state in known.keys().filter(|state| state.broken.is_none()) {
        assert_settles(state, &known);
    }
    println!("{} states, {passes} passes", known.len());
    assert!(known.len() > 1_000, "that is not all: {}", known.len());
}

/// What is wanted is registered in the end, what is not is gone, and then nothing is written any more.
fn assert_settles(state: &State, known: &HashMap<State, Option<State>>) {
    let mut now = state;
    for _ in 0..PASSES {
        now = known[now].as_ref().expect("every state has been passed");
    }
    assert!(
        now.is_settled(),
        "it is never as wanted: {state:#?} {now:#?}"
    );
    let writes = pass(now, None).crashed.len();
    assert_eq!(writes, 0, "nothing changes, and is written: {now:#?}");
}
