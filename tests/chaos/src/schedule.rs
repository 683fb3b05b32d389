//! Which faults come, in which order and for how long: by a seed alone.

use std::fmt;

use crate::kind::{Kind, Lane};
use crate::random::Random;

/// Between two faults of a lane, in milliseconds: who recovers has some time, and never enough to be sure.
const PAUSE: (u64, u64) = (500, 6_000);
/// What carrying out a fault takes besides, in milliseconds: programs start anew. Only the division among lanes goes by it.
const OVERHEAD: u64 = 4_000;
/// Replicas that there are.
const REPLICAS: u64 = 2;

/// How long it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// For so many faults.
    Faults(usize),
    /// Until every lane has faults for so many minutes.
    Minutes(u64),
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    pub number: usize,
    /// What goes wrong.
    pub kind: Kind,
    /// Milliseconds before it begins, after the one before in its lane.
    pub pause: u64,
    /// Milliseconds that it lasts.
    pub lasts: u64,
    /// Which replica it is about, where it is about one.
    pub replica: usize,
    /// What else there is to choose.
    pub variant: u64,
}

/// All faults of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Everything follows from it.
    pub seed: u64,
    /// By number.
    pub faults: Vec<Fault>,
}

impl Schedule {
    /// The schedule of a seed, of all kinds.
    pub fn of(seed: u64, extent: Extent) -> Self {
        Self::of_kinds(seed, extent, &Kind::ALL)
    }

    /// The schedule of a seed, of these kinds.
    pub fn of_kinds(seed: u64, extent: Extent, kinds: &[Kind]) -> Self {
        let mut random = Random::new(seed);
        let mut lanes: Vec<LanePlan> = Lane::ALL
            .into_iter()
            .map(|lane| LanePlan::new(lane, kinds))
            .filter(|lane| !lane.kinds.is_empty())
            .collect();
        random.shuffle(&mut lanes);
        let mut faults = Vec::new();
        while let Some(lane) = lanes.iter_mut().min_by_key(|lane| lane.planned) {
            let done = match extent {
                Extent::Faults(count) => faults.len() >= count,
                Extent::Minutes(minutes) => lane.planned >= minutes * 60_000,
            };
            if done {
                break;
            }
            faults.push(lane.next(faults.len(), &mut random));
        }
        Self { seed, faults }
    }

    /// The faults of one lane.
    pub fn lane(&self, lane: Lane) -> impl Iterator<Item = &Fault> {
        self.faults
            .iter()
            .filter(move |fault| fault.kind.lane() == lane)
    }
}

/// One line for each fault.
impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "seed {}, {} faults",
            self.seed,
            self.faults.len()
        )?;
        for fault in &self.faults {
            writeln!(
                formatter,
                "{:>3}  {:?}: after {} ms, for {} ms, replica {}, variant {}",
                fault.number, fault.kind, fault.pause, fault.lasts, fault.replica, fault.variant
            )?;
        }
        Ok(())
    }
}

struct LanePlan {
    kinds: Vec<Kind>,
    /// Kinds that come before any comes again.
    left: Vec<Kind>,
    planned: u64,
}

impl LanePlan {
    fn new(lane: Lane, kinds: &[Kind]) -> Self {
        let kinds = kinds.iter().copied();
        Self {
            kinds: kinds.filter(|kind| kind.lane() == lane).collect(),
            left: Vec::new(),
            planned: 0,
        }
    }

    fn next(&mut self, number: usize, random: &mut Random) -> Fault {
        if self.left.is_empty() {
            self.left.clone_from(&self.kinds);
            random.shuffle(&mut self.left);
            upgrade_first(&mut self.left);
        }
        let kind = self.left.remove(0);
        let (least, most) = kind.lasts();
        let fault = Fault {
            number,
            kind,
            pause: random.between(PAUSE.0, PAUSE.1),
            lasts: random.between(least, most),
            replica: usize::try_from(random.below(REPLICAS)).unwrap_or_default(),
            variant: random.below(1 << 16),
        };
        self.planned += fault.pause + fault.lasts + OVERHEAD;
        fault
    }
}

/// Nobody goes back to where they are.
fn upgrade_first(kinds: &mut [Kind]) {
    let place = |kind| kinds.iter().position(|found| *found == kind);
    if let (Some(upgrade), Some(rollback)) = (place(Kind::Upgrade), place(Kind::Rollback))
        && rollback < upgrade
    {
        kinds.swap(upgrade, rollback);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const FIRST_OF_SEED_1: &str =
        "  0  PluginSwap: after 699 ms, for 1668 ms, replica 1, variant 35838";

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        let of = |seed| Schedule::of(seed, Extent::Faults(300));
        assert_eq!(of(7), of(7));
        assert_ne!(of(7).faults, of(8).faults);
        // What a seed means today it means tomorrow: schedules are told by their seeds.
        assert_eq!(of(1).to_string().lines().count(), 301);
        assert_eq!(of(1).to_string().lines().nth(1), Some(FIRST_OF_SEED_1));
    }

    #[test]
    fn three_hundred_faults_are_of_every_kind_and_fit_into_half_an_hour() {
        for seed in 0..100 {
            let schedule = Schedule::of(seed, Extent::Faults(300));
            assert_eq!(schedule.faults.len(), 300);
            let kinds: BTreeSet<_> = schedule.faults.iter().map(|fault| fault.kind).collect();
            assert_eq!(kinds.len(), Kind::ALL.len());
            for lane in Lane::ALL {
                let time: u64 = schedule
                    .lane(lane)
                    .map(|fault| fault.pause + fault.lasts)
                    .sum();
                assert!(
                    time < 25 * 60_000,
                    "{lane:?} of seed {seed} takes {time} ms"
                );
            }
        }
    }

    #[test]
    fn every_kind_of_a_lane_comes_before_one_comes_again() {
        for seed in 0..100 {
            let schedule = Schedule::of(seed, Extent::Minutes(10));
            for lane in Lane::ALL {
                let all = Kind::ALL.iter().filter(|kind| kind.lane() == lane).count();
                let faults: Vec<_> = schedule.lane(lane).map(|fault| fault.kind).collect();
                let first: BTreeSet<_> = faults.iter().take(all).collect();
                assert_eq!(first.len(), all, "{lane:?} of seed {seed}: {faults:?}");
            }
        }
    }

    #[test]
    fn nobody_rolls_back_what_was_not_upgraded() {
        for seed in 0..100 {
            let schedule = Schedule::of(seed, Extent::Faults(200));
            let mut upgraded = false;
            for fault in &schedule.faults {
                match fault.kind {
                    Kind::Upgrade => upgraded = true,
                    Kind::Rollback => assert!(std::mem::take(&mut upgraded), "seed {seed}"),
                    _ => (),
                }
            }
        }
    }

    #[test]
    fn who_stands_still_does_so_for_longer_than_the_lease() {
        let schedule = Schedule::of(3, Extent::Faults(300));
        let mut stops = schedule
            .faults
            .iter()
            .filter(|fault| fault.kind == Kind::Stop);
        assert!(stops.clone().count() > 3 && stops.all(|fault| fault.lasts > 15_000));
    }

    #[test]
    fn who_asks_for_some_kinds_gets_no_other() {
        let wanted = [Kind::Kill, Kind::LiteLlmDown];
        let schedule = Schedule::of_kinds(5, Extent::Faults(20), &wanted);
        assert_eq!(schedule.faults.len(), 20);
        assert!(
            schedule
                .faults
                .iter()
                .all(|fault| wanted.contains(&fault.kind))
        );
        assert!(
            Schedule::of_kinds(5, Extent::Faults(20), &[])
                .faults
                .is_empty()
        );
    }

    #[test]
    fn minutes_are_filled_in_every_lane() {
        let schedule = Schedule::of(3, Extent::Minutes(5));
        for lane in Lane::ALL {
            let time: u64 = schedule
                .lane(lane)
                .map(|fault| fault.pause + fault.lasts + OVERHEAD)
                .sum();
            assert!(time >= 5 * 60_000, "{lane:?}: {time}");
        }
    }
}
