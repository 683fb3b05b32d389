//! Two replicas, and one writer: whatever happens to the leader.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mcp_cluster::{CabledNetwork, Kubectl};
use mcp_e2e::{AuditLog, Operator, OwnCluster, Proxy, ReplicaWrite, eventually};

use crate::world::{RECOVERY, World};

/// As it is shipped.
const LEASE: Duration = Duration::from_secs(15);
/// What a busy machine may take for what takes moments.
const SLACK: Duration = Duration::from_secs(8);
const SERVERS: usize = 40;

/// A control plane with two replicas, of which the first leads.
struct Replicas {
    world: World,
    first: Operator,
    second: Operator,
}

impl Replicas {
    fn start(name: &str) -> Result<Self> {
        let world = World::start(name)?;
        // Beside a cluster they name one replica only; and what is asked here is who writes.
        world.delete_webhooks()?;
        let first = replica(&world, "first")?;
        leads(&world, "first")?;
        let second = replica(&world, "second")?;
        world.apply(SERVERS)?;
        world.converged(SERVERS)?;
        Ok(Self {
            world,
            first,
            second,
        })
    }
}

fn replica(world: &World, name: &str) -> Result<Operator> {
    let environment = &world.own.environment;
    Operator::start_replica(environment, name, environment.kubectl.kubeconfig())
}

/// Waits until this replica leads.
pub(crate) fn leads(world: &World, replica: &str) -> Result<()> {
    mcp_e2e::leads(world.kubectl(), replica, RECOVERY)
}

/// Changes the configuration of `s-<index>`, as its user would.
fn change(kubectl: &Kubectl, index: usize, value: impl std::fmt::Display) -> Result<()> {
    let patch = format!(r#"{{"spec":{{"config":{{"a":{value}}}}}}}"#);
    kubectl
        .run(&[
            "patch",
            "mcpserver",
            &format!("s-{index}"),
            "--namespace",
            OwnCluster::NAMESPACE,
            "--type=merge",
            "--patch",
            &patch,
        ])
        .map(drop)
}

/// Waits until something is written after a change that a user makes now, and says how long that took.
fn written_after_change(world: &World) -> Result<Duration> {
    let began = Instant::now();
    // Another one each time.
    change(world.kubectl(), 0, began.elapsed().as_nanos())?;
    let generation = world.get("mcpserver", "s-0")?["metadata"]["generation"].clone();
    loop {
        let server = world.get("mcpserver", "s-0")?;
        if server["status"]["observedGeneration"] == generation {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < RECOVERY, "nothing is written");
        sleep(Duration::from_millis(50));
    }
}

/// Each write is by whoever wrote the lease last, and is answered before another takes that.
fn one_writer(writes: &[ReplicaWrite]) -> Result<()> {
    let is_lease = |write: &&ReplicaWrite| write.request.resource == "leases";
    let leases: Vec<_> = writes
        .iter()
        .filter(is_lease)
        .filter(|write| (200..300).contains(&write.request.code))
        .collect();
    let (mut checked, mut replicas) = (0, BTreeSet::new());
    // Made once by whoever comes first, and never changed.
    let objects = writes
        .iter()
        .filter(|write| write.request.resource != "secrets");
    for write in objects.filter(|write| !is_lease(write)) {
        let before = leases
            .iter()
            .rfind(|lease| lease.answered <= write.received);
        let before = before.with_context(|| format!("nobody led: {write:?}"))?;
        ensure!(
            before.replica == write.replica,
            "{write:?} beside {before:?}"
        );
        let overtaken = leases.iter().find(|lease| {
            lease.replica != write.replica
                && lease.received >= write.received
                && lease.answered < write.answered
        });
        ensure!(overtaken.is_none(), "{write:?} and {overtaken:?}");
        replicas.insert(&write.replica);
        checked += 1;
    }
    ensure!(
        checked > SERVERS && replicas.len() == 2,
        "{checked} writes of {replicas:?}"
    );
    Ok(())
}

#[test]
fn after_a_crash_the_other_writes_within_the_lease_and_nothing_superfluous() -> Result<()> {
    let mut replicas = Replicas::start("leader-crash")?;
    let world = &mut replicas.world;
    world.settled()?;
    replicas.first.kill();
    let took = written_after_change(world)?;
    println!("written {} ms after the crash", took.as_millis());
    ensure!(took < LEASE + SLACK, "{took:?}");
    let mut writes = world.settled()?;
    writes.retain(|request| request.is_write() && !request.object.contains("s-0"));
    ensure!(writes.is_empty(), "{writes:?}");
    one_writer(&AuditOf(world).all()?)
}

#[test]
fn after_a_clean_stop_the_other_need_not_wait_for_the_lease() -> Result<()> {
    let mut replicas = Replicas::start("leader-stop")?;
    let world = &mut replicas.world;
    world.settled()?;
    replicas.first.signal("TERM")?;
    let took = written_after_change(world)?;
    println!("written {} ms after the stop", took.as_millis());
    ensure!(took < SLACK, "it waited for the lease: {took:?}");
    one_writer(&AuditOf(world).all()?)
}

/// Longer than the lease, under load, several times in turn.
#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn a_leader_that_was_stopped_and_goes_on_writes_nothing_any_more() -> Result<()> {
    let replicas = Replicas::start("leader-stopped")?;
    let world = &replicas.world;
    let load = Load::start(world.kubectl());
    for (leader, name, successor) in [
        (&replicas.first, "first", "second"),
        (&replicas.second, "second", "first"),
        (&replicas.first, "first", "second"),
    ] {
        leads(world, name)?;
        leader.signal("STOP")?;
        leads(world, successor)?;
        // It goes on while the other writes.
        load.goes_on(4)?;
        leader.signal("CONT")?;
        load.goes_on(6)?;
    }
    load.end()?;
    world.converged(SERVERS)?;
    one_writer(&AuditOf(world).all()?)
}

/// The cable of the leader is pulled while it writes, and put back long after another leads: nothing that it sent before may
/// arrive then.
#[test]
#[ignore = "takes minutes; cargo xtask test --only long"]
fn a_leader_that_is_cut_off_writes_nothing_when_the_network_is_back() -> Result<()> {
    if !CabledNetwork::is_possible() {
        eprintln!("left out: a network of its own takes root");
        return Ok(());
    }
    let world = World::start("leader-cut-off")?;
    world.delete_webhooks()?;
    let (environment, network) = (&world.own.environment, CabledNetwork::new()?);
    let kubeconfig = environment.kubectl.kubeconfig();
    let way = Proxy::start_at(network.machine, kubeconfig, &environment.logs)?;
    let _first = Operator::start_replica_within(&network, environment, "first", way.kubeconfig())?;
    leads(&world, "first")?;
    let second = replica(&world, "second")?;
    world.apply(SERVERS)?;
    world.converged(SERVERS)?;
    let load = Load::start(world.kubectl());
    for _ in 0..2 {
        leads(&world, "first")?;
        load.goes_on(8)?;
        network.cut()?;
        leads(&world, "second")?;
        load.goes_on(8)?;
        network.mend()?;
        load.goes_on(20)?;
        // Back to the first, which has been a standby meanwhile.
        second.signal("STOP")?;
        leads(&world, "first")?;
        second.signal("CONT")?;
    }
    load.end()?;
    world.converged(SERVERS)?;
    one_writer(&AuditOf(&world).all()?)
}

/// The audit log from its beginning.
struct AuditOf<'a>(&'a World);

impl AuditOf<'_> {
    fn all(&self) -> Result<Vec<ReplicaWrite>> {
        let environment = &self.0.own.environment;
        let path = environment.audit.as_deref().context("no audit log")?;
        AuditLog::new(path).writes_of_replicas()
    }
}

/// Users who change their servers all the time.
struct Load {
    done: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    user: JoinHandle<Result<()>>,
}

impl Load {
    fn start(kubectl: &Kubectl) -> Self {
        let (done, count) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (kubectl, ended, counted) = (kubectl.clone(), done.clone(), count.clone());
        let user = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                change(&kubectl, number % SERVERS, number)?;
            }
            Ok(())
        });
        Self { done, count, user }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits until so many more changes were made.
    fn goes_on(&self, changes: usize) -> Result<()> {
        let before = self.count();
        eventually("servers are changed", RECOVERY, || {
            ensure!(self.count() > before + changes);
            Ok(())
        })
    }

    fn end(self) -> Result<()> {
        self.done.store(true, Ordering::Relaxed);
        self.user
            .join()
            .map_err(|_| anyhow::anyhow!("the user panicked"))?
    }
}
