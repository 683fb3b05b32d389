//! All that can happen to two replicas: requests that are late, lost, or whose answers are; processes that stand still and go
//! on, or start again; in every order. Times are counted from the present, so that the states are finite.

use std::collections::{HashSet, VecDeque};

use super::*;

const TIMING: LeaseTiming = LeaseTiming {
    duration: Duration::from_secs(15),
};
/// Steps in which time goes on: three make the duration of a lease, two the deadline of its holder.
const TICK: Duration = Duration::from_secs(5);
/// The present, in every state.
const NOW: Duration = Duration::from_secs(1_000);
/// As long ago as a lease lasts: what was before makes no difference.
const LONG_AGO: Duration = Duration::from_secs(985);
/// Nobody that runs now.
const GONE: &str = "gone";
const NAMES: [&str; 2] = ["a", "b"];

/// A request that writes the lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    claim: Claim,
    holder: &'static str,
    sent: Duration,
    /// Otherwise it has been given up, and may arrive all the same.
    is_awaited: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Replica {
    election: LeaderElection,
    requests: Vec<Request>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    stored: Option<LeaseRecord>,
    replicas: [Replica; 2],
}

fn replica(name: &str) -> Replica {
    Replica {
        election: LeaderElection::new(name.into(), TIMING),
        requests: Vec::new(),
    }
}

impl World {
    fn holders(&self) -> usize {
        let holds = |replica: &&Replica| replica.election.held_until.is_some_and(|it| it > NOW);
        self.replicas.iter().filter(holds).count()
    }

    /// Everything that one event makes of it.
    fn next(&self) -> Vec<Self> {
        let mut next = vec![self.later()];
        for index in 0..2 {
            let changed = |change: &dyn Fn(&mut Self)| {
                let mut world = self.clone();
                change(&mut world);
                world
            };
            next.push(changed(&|world| world.shown(index)));
            next.push(changed(&|world| world.restarted(index)));
            if let Some(world) = self.sent(index) {
                next.push(world);
            }
            for request in 0..self.replicas[index].requests.len() {
                next.push(changed(&|world| world.arrives(index, request, true)));
                next.push(changed(&|world| world.arrives(index, request, false)));
                next.push(changed(&|world| world.lost(index, request)));
                next.push(changed(&|world| world.given_up(index, request)));
            }
        }
        next.into_iter().map(Self::canonical).collect()
    }

    fn later(&self) -> Self {
        let mut world = self.clone();
        for replica in &mut world.replicas {
            let election = &mut replica.election;
            election.next_try = election.next_try.saturating_sub(TICK);
            election.held_until = election.held_until.map(|it| it.saturating_sub(TICK));
            if let Some(seen) = &mut election.seen {
                seen.since -= TICK;
            }
            for request in &mut replica.requests {
                request.sent -= TICK;
            }
        }
        world
    }

    /// The watch shows what is stored.
    fn shown(&mut self, index: usize) {
        let stored = self.stored.clone();
        self.replicas[index].election.observe(stored, NOW);
    }

    /// Another process takes its place; requests of the one before may still arrive.
    fn restarted(&mut self, index: usize) {
        let name = NAMES[index];
        let mut requests = std::mem::take(&mut self.replicas[index].requests);
        for request in &mut requests {
            request.holder = GONE;
            request.is_awaited = false;
        }
        let forget = |record: &mut LeaseRecord| {
            if record.holder.as_deref() == Some(name) {
                record.holder = Some(GONE.into());
            }
        };
        self.stored.iter_mut().for_each(forget);
        self.records().for_each(forget);
        self.replicas[index] = Replica {
            requests,
            ..replica(name)
        };
    }

    fn records(&mut self) -> impl Iterator<Item = &mut LeaseRecord> {
        let replicas = self.replicas.iter_mut();
        replicas.filter_map(|replica| replica.election.seen.as_mut()?.record.as_mut())
    }

    /// It does what its rules say, if it waits for no answer.
    fn sent(&self, index: usize) -> Option<Self> {
        let mut world = self.clone();
        let replica = &mut world.replicas[index];
        // One that is on its way for long is enough: what it writes is refused once anything else was written.
        if !replica.requests.is_empty() {
            return None;
        }
        replica.election.expire(NOW);
        let LeaseStep::Write(claim) = replica.election.next(NOW) else {
            return None;
        };
        replica.requests.push(Request {
            claim,
            holder: NAMES[index],
            sent: NOW,
            is_awaited: true,
        });
        Some(world)
    }

    /// The API server has it; its answer comes, or is lost.
    fn arrives(&mut self, index: usize, request: usize, is_told: bool) {
        let request = self.replicas[index].requests.remove(request);
        let version = self.stored.as_ref().map(|it| it.version);
        let is_done = version == request.claim.replaces;
        if is_done {
            self.stored = Some(LeaseRecord {
                holder: Some(request.holder.into()),
                duration: TIMING.duration,
                transitions: request.claim.transitions,
                version: version.unwrap_or_default() + 1,
            });
        }
        if !request.is_awaited {
            return;
        }
        let election = &mut self.replicas[index].election;
        match self.stored.clone().filter(|_| is_done && is_told) {
            Some(record) => election.written(record, request.sent),
            None => election.failed(NOW),
        }
    }

    fn lost(&mut self, index: usize, request: usize) {
        let request = self.replicas[index].requests.remove(request);
        if request.is_awaited {
            self.replicas[index].election.failed(NOW);
        }
    }

    fn given_up(&mut self, index: usize, request: usize) {
        let replica = &mut self.replicas[index];
        if std::mem::take(&mut replica.requests[request].is_awaited) {
            replica.election.failed(NOW);
        }
    }

    /// Without what makes no difference: how long ago something ended, how often the lease has changed hands, and which number
    /// its version has.
    fn canonical(mut self) -> Self {
        let newest = self.stored.as_ref().map_or(1, |it| it.version);
        let version = |version: u64| if version == newest { 2 } else { 1 };
        for replica in &mut self.replicas {
            let election = &mut replica.election;
            election.next_try = election.next_try.max(NOW);
            election.held_until = election.held_until.map(|it| it.max(NOW));
            if let Some(seen) = &mut election.seen {
                seen.since = seen.since.max(LONG_AGO);
                if let Some(record) = &mut seen.record {
                    record.version = version(record.version);
                }
            }
            for request in &mut replica.requests {
                request.sent = request.sent.max(LONG_AGO);
                request.claim.replaces = request.claim.replaces.map(version);
                request.claim.transitions = 0;
            }
            replica.requests.sort_by_key(|it| (it.is_awaited, it.sent));
        }
        if let Some(stored) = &mut self.stored {
            stored.version = version(stored.version);
        }
        self.stored.iter_mut().for_each(|it| it.transitions = 0);
        self.records().for_each(|it| it.transitions = 0);
        self
    }

    /// Whether somebody leads before two leases have passed, if from now on everything works.
    fn recovers(mut self) -> bool {
        for _ in 0..12 {
            for index in 0..2 {
                while !self.replicas[index].requests.is_empty() {
                    self.arrives(index, 0, true);
                }
                self.shown(index);
                if let Some(sent) = self.sent(index) {
                    self = sent;
                    let last = self.replicas[index].requests.len() - 1;
                    self.arrives(index, last, true);
                }
            }
            if self.holders() == 1 {
                return true;
            }
            self = self.later().canonical();
        }
        false
    }
}

#[test]
fn in_no_order_of_events_do_two_lead_and_in_the_end_one_does() {
    let start = World {
        stored: None,
        replicas: NAMES.map(replica),
    }
    .canonical();
    let mut known = HashSet::from([start.clone()]);
    let mut open = VecDeque::from([start]);
    while let Some(world) = open.pop_front() {
        assert!(world.holders() < 2, "two lead: {world:#?}");
        assert!(world.clone().recovers(), "nobody ever leads: {world:#?}");
        for next in world.next() {
            if known.insert(next.clone()) {
                open.push_back(next);
            }
        }
    }
    println!("{} states", known.len());
    assert!(known.len() > 1_000, "that is not all: {}", known.len());
}
