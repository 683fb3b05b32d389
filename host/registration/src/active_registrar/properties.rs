//! What is true of a hand-over, whatever happens.

use proptest::prelude::*;

use super::test_handover::{Cluster, block_on, shown_record};
use crate::test_registrars::{Behaviour, Drain, Planning, id_of, lock};

const IDS: [&str; 5] = ["a1", "a2", "b1", "b2", "c1"];

/// Something that happens between two passes.
#[derive(Clone, Debug)]
enum Happens {
    Candidates(Vec<&'static str>),
    Behaves(&'static str, Behaviour),
    RecordWritesFail(bool),
    Restart,
    Nothing,
}

fn happens() -> impl Strategy<Value = Happens> {
    let id = || prop::sample::select(&IDS[..]);
    let drain = prop::sample::select(
        &[
            Drain::AtOnce,
            Drain::InProgress,
            Drain::Unreachable,
            Drain::StepsFail,
            Drain::RolloutWaits,
        ][..],
    );
    let planning = prop_oneof![
        3 => Just(Planning::Works),
        1 => Just(Planning::Fails),
        1 => Just(Planning::RefusesAll),
    ];
    let rare = || prop::bool::weighted(0.2);
    let behaviour = (drain, planning, rare(), rare()).prop_map(
        |(drain, planning, describe_fails, is_unloadable)| Behaviour {
            locations: None,
            describe_fails,
            planning,
            drain,
            is_unloadable,
            has_workloads: false,
            obstacle: None,
        },
    );
    prop_oneof![
        3 => prop::collection::vec(id(), 0..3).prop_map(Happens::Candidates),
        4 => (id(), behaviour).prop_map(|(id, behaviour)| Happens::Behaves(id, behaviour)),
        1 => any::<bool>().prop_map(Happens::RecordWritesFail),
        1 => Just(Happens::Restart),
        2 => Just(Happens::Nothing),
    ]
}

/// Two versions with and two without common locations, and one that shares locations with others.
fn behave(cluster: &Cluster, id: &'static str, behaviour: Behaviour) {
    cluster.change(id, |known| *known = behaviour);
    match id {
        "a2" => cluster.locations(id, &["a", "more"]),
        "b2" => cluster.locations(id, &["elsewhere"]),
        _ => cluster,
    };
}

fn check(cluster: &Cluster, registered_before: usize) -> Result<(), TestCaseError> {
    let registrations = lock(&cluster.world.registrations).clone();
    let new = &registrations[registered_before..];
    let [active] = new else {
        prop_assert!(new.is_empty(), "one at a time: {new:?}");
        return Ok(());
    };
    let record = lock(&cluster.world.record_at_registration).clone().unwrap();
    prop_assert_eq!(record.active.as_ref().map(id_of), Some(active.clone()));
    let own = cluster.world.locations(active);
    let draining: Vec<String> = record.draining.iter().map(id_of).collect();
    for location in cluster.registered() {
        let is_stuck = |id: &String| {
            cluster.world.locations(id).contains(&location)
                && cluster.world.behaviour(id).is_stuck()
        };
        prop_assert!(
            own.contains(&location) || draining.iter().any(is_stuck),
            "{} registers while {} is neither drained nor stuck: {}",
            active,
            location,
            shown_record(&record)
        );
    }
    Ok(())
}

proptest! {
    /// Whatever happens: one registers at a time, after it is recorded, and what others left is drained, or recorded as
    /// stuck. Once all is well, nothing is left of any other.
    #[test]
    fn at_most_one_registers_and_nothing_is_lost(
        history in prop::collection::vec(happens(), 1..30),
        last in prop::sample::select(&IDS[..]),
    ) {
        let mut cluster = Cluster::with_candidates(&["a1"]);
        for id in IDS {
            behave(&cluster, id, Behaviour::default());
        }
        for event in history {
            match event {
                Happens::Candidates(ids) => _ = cluster.candidates(&ids),
                Happens::Behaves(id, behaviour) => behave(&cluster, id, behaviour),
                Happens::RecordWritesFail(fail) => _ = cluster.record_writes_fail(fail),
                Happens::Restart => _ = cluster.restart(),
                Happens::Nothing => {}
            }
            let before = lock(&cluster.world.registrations).len();
            block_on(cluster.pass());
            check(&cluster, before)?;
        }
        for id in IDS {
            behave(&cluster, id, Behaviour::default());
        }
        cluster.candidates(&[last]).record_writes_fail(false);
        prop_assert_eq!(block_on(cluster.pass()), last);
        prop_assert_eq!(cluster.record(), format!("{last} []"));
        let own: Vec<String> = cluster.world.locations(last).into_iter().collect();
        prop_assert_eq!(cluster.registered(), own);
    }
}
