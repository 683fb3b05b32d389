//! Replicas that renew one certificate together, each in its own rhythm and for a while with options of its own, as in a
//! rollout. Time is counted, not waited for.

use super::tests::start;
use super::*;

const TICK: SignedDuration = SignedDuration::from_millis(500);
const TICKS: u32 = 10 * 60 * 2;
/// Until the API server goes by what was written into the webhook configurations.
const API_SERVER_LAG: usize = 2;
/// How long a process is away that is started anew.
const RESTART: u32 = 4;
const SEEDS: u64 = 24;
const LIFETIMES: [SignedDuration; 3] = [
    SignedDuration::from_secs(120),
    SignedDuration::from_secs(300),
    SignedDuration::from_hours(24 * 90),
];

/// Numbers that are the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap() % limit
    }
}

struct Replica {
    policy: Policy,
    /// What it last read.
    known: Certificates,
    expires: Timestamp,
    /// Until then it stands still, and nobody asks it.
    stopped_until: Timestamp,
    next_pass: Timestamp,
    /// Since when it has seen that the API server was told of what it knows.
    trusted_since: Option<Timestamp>,
}

struct Cluster {
    now: Timestamp,
    /// The Secret.
    stored: Certificates,
    /// What the leader wrote into the webhook configurations, tick by tick.
    bundles: Vec<String>,
    replicas: Vec<Replica>,
    leader: usize,
    leader_has_read: bool,
}

impl Cluster {
    fn new(replicas: usize) -> Self {
        let policy = policy(LIFETIMES[2]);
        let stored = Certificates::new(&policy, start()).unwrap();
        let replica = || Replica {
            policy: policy.clone(),
            known: stored.clone(),
            expires: start() + LIFETIMES[2],
            stopped_until: start(),
            next_pass: start(),
            trusted_since: None,
        };
        Self {
            now: start(),
            bundles: vec![stored.trusted(); API_SERVER_LAG + 1],
            replicas: (0..replicas).map(|_| replica()).collect(),
            stored,
            leader: 0,
            leader_has_read: true,
        }
    }

    /// A replica looks after the certificate.
    fn pass(&mut self, index: usize) {
        self.leader_has_read |= index == self.leader;
        let replica = &mut self.replicas[index];
        let propagation = self.stored.bounded(PROPAGATION, &replica.policy, self.now);
        let trusted = replica.known.trusted() == self.stored.trusted()
            && replica
                .trusted_since
                .is_some_and(|since| since + propagation <= self.now);
        if let Some(step) = self
            .stored
            .step(&replica.policy, trusted, self.now)
            .unwrap()
        {
            self.stored = step.certificates;
        }
        if replica.known.trusted() != self.stored.trusted() {
            replica.trusted_since = None;
        }
        replica.known = self.stored.clone();
        let served = Facts::of(&self.stored.serving.certificate).unwrap();
        replica.expires = served.expires;
        replica.next_pass = self.now + self.stored.bounded(INTERVAL, &replica.policy, self.now);
    }

    fn tick(&mut self) {
        for index in 0..self.replicas.len() {
            // One that goes on after it stood still is asked before it has looked.
            let replica = &self.replicas[index];
            let propagation = (self.stored).bounded(PROPAGATION, &replica.policy, self.now);
            let promotes = replica.known.next.is_some()
                && (replica.trusted_since).is_some_and(|since| since + propagation <= self.now);
            let is_due = replica.next_pass <= self.now || promotes;
            if is_due && replica.stopped_until < self.now {
                self.pass(index);
            }
        }
        // Nobody writes while the leader stands still.
        let leader = &self.replicas[self.leader];
        let told = if self.leader_has_read && leader.stopped_until < self.now {
            leader.known.trusted()
        } else {
            self.bundles.last().unwrap().clone()
        };
        for replica in &mut self.replicas {
            if replica.stopped_until > self.now {
                continue;
            }
            let is_told = replica.known.trusted() == told;
            let since = replica.trusted_since.unwrap_or(self.now);
            replica.trusted_since = is_told.then_some(since);
        }
        self.bundles.push(told);
        self.now += TICK;
    }

    /// Another leads, which reads first what is there.
    fn lead(&mut self, index: usize) {
        self.leader = index;
        self.leader_has_read = false;
        self.replicas[index].next_pass = self.now;
    }

    /// Starts one anew with other options; another becomes the leader.
    fn restart(&mut self, index: usize, lifetime: SignedDuration) {
        self.lead((index + 1) % self.replicas.len());
        for _ in 0..RESTART {
            self.replicas[index].next_pass = self.now + TICK * 2;
            self.tick();
        }
        self.replicas[index].policy = policy(lifetime);
        self.replicas[index].trusted_since = None;
        self.pass(index);
    }

    /// One stands still; another becomes the leader.
    fn stop(&mut self, index: usize, time: SignedDuration) {
        self.lead((index + 1) % self.replicas.len());
        self.replicas[index].stopped_until = self.now + time;
    }

    /// What a client of a replica would refuse.
    fn refused(&self) -> Option<String> {
        let trusted = &self.bundles[self.bundles.len() - 1 - API_SERVER_LAG];
        self.replicas
            .iter()
            .enumerate()
            .find_map(|(index, replica)| {
                if replica.stopped_until > self.now {
                    return None;
                }
                if replica.expires <= self.now {
                    return Some(format!("replica {index} serves what has expired"));
                }
                let authority = replica.known.serving_authority().concat();
                (!trusted.contains(&authority))
                    .then(|| format!("replica {index} serves what is not trusted"))
            })
    }
}

fn policy(lifetime: SignedDuration) -> Policy {
    Policy {
        lifetime,
        ..tests::policy()
    }
}

#[test]
fn no_request_is_refused_whatever_options_replicas_are_restarted_with() {
    let (mut steps, mut failed) = (0, Vec::new());
    for seed in 0..SEEDS {
        let mut numbers = Numbers(seed);
        let mut cluster = Cluster::new(2 + usize::try_from(seed % 2).unwrap());
        let mut wanted = LIFETIMES[2];
        let mut restarts = Vec::new();
        for tick in 0..TICKS {
            let before = cluster.stored.clone();
            // Other options about each two minutes, and a rollout, one replica after the other.
            if restarts.is_empty() && numbers.below(240) == 0 {
                wanted = LIFETIMES[usize::try_from(numbers.below(3)).unwrap()];
                restarts = (0..cluster.replicas.len()).collect();
            }
            if !restarts.is_empty() && numbers.below(10) == 0 {
                let index = restarts.remove(0);
                cluster.restart(index, wanted);
            }
            if numbers.below(120) == 0 {
                let index = numbers.below(2);
                let seconds = SignedDuration::from_secs(numbers.below(20).into());
                cluster.stop(usize::try_from(index).unwrap(), seconds);
            }
            cluster.tick();
            steps += u32::from(cluster.stored != before);
            if let Some(why) = cluster.refused() {
                failed.push(format!("seed {seed}, tick {tick}: {why}"));
                break;
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(steps > 100, "only {steps} steps");
}
