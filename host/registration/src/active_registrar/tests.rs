//! Each state of the hand-over, and each way from one to another.

use tokio_util::sync::CancellationToken;

use super::test_handover::Cluster;
use crate::test_registrars::{Behaviour, Drain, Planning, lock};

#[tokio::test]
async fn without_a_registrar_nobody_registers() {
    let mut cluster = Cluster::with_candidates(&[]);
    assert_eq!(cluster.pass().await, "none");
    assert_eq!(cluster.record(), "- []");
    assert_eq!(*lock(&cluster.world.records.writes), 0);
}

#[tokio::test]
async fn the_first_by_priority_is_recorded_and_registers() {
    let mut cluster = Cluster::with_candidates(&["a1", "b1"]);
    assert_eq!(cluster.pass().await, "a1");
    assert_eq!(cluster.record(), "a1 []");
    assert_eq!(cluster.registered(), ["a"]);
}

#[tokio::test]
async fn while_nothing_changes_the_record_is_not_written_again() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    for _ in 0..3 {
        assert_eq!(cluster.pass().await, "a1");
    }
    assert_eq!(*lock(&cluster.world.records.writes), 1);
}

#[tokio::test]
async fn the_previous_one_is_drained_before_the_next_one_registers() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1", "a1"]);
    assert_eq!(cluster.pass().await, "b1");
    assert_eq!(cluster.record(), "b1 []");
    assert_eq!(cluster.registered(), ["b"]);
}

#[tokio::test]
async fn nobody_registers_while_a_drain_is_in_progress() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]).drain("a1", Drain::InProgress);
    for _ in 0..3 {
        assert_eq!(cluster.pass().await, "a drains before b1: gateway: 1 of 2");
        assert_eq!(cluster.record(), "b1 [a1]");
    }
    assert_eq!(*lock(&cluster.world.registrations), ["a1"]);
    cluster.drain("a1", Drain::AtOnce);
    assert_eq!(cluster.pass().await, "b1");
    assert_eq!(cluster.record(), "b1 []");
    assert_eq!(cluster.registered(), ["b"]);
}

#[tokio::test]
async fn a_rollout_of_somebody_else_is_waited_for() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]).drain("a1", Drain::RolloutWaits);
    let waits =
        "a drains before b1: Deployment litellm/proxy finishes another rollout first: 1 of 2";
    assert_eq!(cluster.pass().await, waits);
}

#[tokio::test]
async fn the_active_one_goes_on_while_the_candidate_fails_its_dry_run() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1", "a1"]);
    for (change, expected) in [
        (
            Behaviour {
                planning: Planning::Fails,
                ..Behaviour::default()
            },
            "a1, b1 waits: it traps",
        ),
        (
            Behaviour {
                describe_fails: true,
                ..Behaviour::default()
            },
            "a1, b1 waits: it does not know where",
        ),
        (
            Behaviour {
                planning: Planning::RefusesAll,
                ..Behaviour::default()
            },
            "a1, b1 waits: says the registrar",
        ),
    ] {
        cluster.change("b1", |behaviour| *behaviour = change);
        assert_eq!(cluster.pass().await, expected);
        assert_eq!(cluster.record(), "a1 []");
        assert_eq!(cluster.registered(), ["a"]);
    }
    cluster.change("b1", |behaviour| *behaviour = Behaviour::default());
    assert_eq!(cluster.pass().await, "b1");
}

#[tokio::test]
async fn a_candidate_that_fails_with_nobody_before_it_is_not_recorded() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.change("a1", |behaviour| behaviour.planning = Planning::Fails);
    assert_eq!(cluster.pass().await, "a1 failed: it traps");
    assert_eq!(cluster.record(), "- []");
    cluster.change("a1", |behaviour| behaviour.planning = Planning::Works);
    assert_eq!(cluster.pass().await, "a1");
}

/// What it refuses is told server by server: that needs no other registrar.
#[tokio::test]
async fn a_first_registrar_that_refuses_all_servers_is_active() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.change("a1", |behaviour| behaviour.planning = Planning::RefusesAll);
    assert_eq!(cluster.pass().await, "a1");
}

#[tokio::test]
async fn a_new_version_that_looks_after_the_same_places_drains_nothing() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster
        .candidates(&["a2"])
        .locations("a2", &["a", "more"])
        .drain("a1", Drain::InProgress);
    assert_eq!(cluster.pass().await, "a2");
    assert_eq!(cluster.record(), "a2 []");
    assert_eq!(cluster.registered(), ["a", "more"]);
}

#[tokio::test]
async fn a_new_version_that_registers_elsewhere_drains_the_old_one() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["a2"]).locations("a2", &["elsewhere"]);
    assert_eq!(cluster.pass().await, "a2");
    assert_eq!(cluster.registered(), ["elsewhere"]);
}

#[tokio::test]
async fn a_new_version_that_fails_its_dry_run_leaves_the_old_one_active() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster
        .candidates(&["a2"])
        .change("a2", |behaviour| behaviour.planning = Planning::Fails);
    assert_eq!(cluster.pass().await, "a1, a2 waits: it traps");
    assert_eq!(*lock(&cluster.world.registrations), ["a1", "a1"]);
}

#[tokio::test]
async fn a_record_that_cannot_be_written_leaves_all_as_it_was() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]).record_writes_fail(true);
    for _ in 0..2 {
        assert_eq!(
            cluster.pass().await,
            "error: write record: no answer within 15 s"
        );
        assert_eq!(cluster.record(), "a1 []");
        assert_eq!(cluster.registered(), ["a"], "it is not drained either");
    }
    // Back again: it was active all the time.
    cluster.candidates(&["a1"]);
    assert_eq!(cluster.pass().await, "a1");
    cluster.candidates(&["b1"]).record_writes_fail(false);
    assert_eq!(cluster.pass().await, "b1");
    assert_eq!(cluster.registered(), ["b"]);
}

#[tokio::test]
async fn a_drained_registrar_is_kept_until_the_record_says_that_it_is_done() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]).drain("a1", Drain::InProgress);
    cluster.pass().await;
    cluster.drain("a1", Drain::AtOnce).record_writes_fail(true);
    let error = "error: write record: no answer within 15 s";
    assert_eq!(cluster.pass().await, error);
    assert_eq!(cluster.record(), "b1 [a1]");
    cluster.record_writes_fail(false);
    assert_eq!(cluster.pass().await, "b1");
    assert_eq!(cluster.record(), "b1 []");
}

#[tokio::test]
async fn a_stuck_drain_is_not_waited_for_and_not_forgotten() {
    for (drain, why) in [
        (Drain::Unreachable, "nobody answers"),
        (Drain::StepsFail, "the step failed"),
    ] {
        let mut cluster = Cluster::with_candidates(&["a1"]);
        cluster.pass().await;
        cluster.candidates(&["b1"]).drain("a1", drain);
        let expected = format!(
            "b1, stuck: a cannot clear what it registered: {why}. To give that up, delete ConfigMap operator/record and restart the operator"
        );
        for _ in 0..2 {
            assert_eq!(cluster.pass().await, expected);
            assert_eq!(cluster.record(), "b1 [a1]");
        }
        cluster.drain("a1", Drain::AtOnce);
        assert_eq!(cluster.pass().await, "b1");
        assert_eq!(cluster.record(), "b1 []");
        assert_eq!(cluster.registered(), ["b"]);
    }
}

#[tokio::test]
async fn after_a_restart_the_recorded_one_is_drained_although_its_plugin_is_gone() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]);
    assert_eq!(cluster.restart().pass().await, "b1");
    assert_eq!(cluster.record(), "b1 []");
    assert_eq!(cluster.registered(), ["b"]);
}

#[tokio::test]
async fn after_a_restart_a_drain_goes_on() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]).drain("a1", Drain::InProgress);
    cluster.pass().await;
    let waits = "a drains before b1: gateway: 1 of 2";
    assert_eq!(cluster.restart().pass().await, waits);
    cluster.drain("a1", Drain::AtOnce);
    assert_eq!(cluster.restart().pass().await, "b1");
    assert_eq!(cluster.registered(), ["b"]);
}

#[tokio::test]
async fn a_recorded_registrar_that_cannot_be_loaded_is_stuck_until_it_can() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster
        .candidates(&["b1"])
        .change("a1", |behaviour| behaviour.is_unloadable = true);
    let selected = cluster.restart().pass().await;
    let stuck = "b1, stuck: a cannot clear what it registered: its component is gone.";
    assert!(selected.starts_with(stuck), "{selected}");
    assert_eq!(cluster.record(), "b1 [a1]");
    cluster.change("a1", |behaviour| behaviour.is_unloadable = false);
    assert_eq!(cluster.pass().await, "b1");
    assert_eq!(cluster.registered(), ["b"]);
}

#[tokio::test]
async fn after_a_restart_the_recorded_one_goes_on_while_the_candidate_fails() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster
        .candidates(&["b1"])
        .change("b1", |behaviour| behaviour.planning = Planning::Fails);
    assert_eq!(cluster.restart().pass().await, "a1, b1 waits: it traps");
}

#[tokio::test]
async fn nobody_registers_before_the_record_can_be_read() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    *lock(&cluster.world.records.text) = Some("no JSON".into());
    let expected = "error: ConfigMap operator/record cannot be read (expected ident at line 1 column 2): delete it; what a replaced registrar has left behind then stays";
    for _ in 0..2 {
        assert_eq!(cluster.pass().await, expected);
    }
    assert!(lock(&cluster.world.registrations).is_empty());
    *lock(&cluster.world.records.text) = None;
    assert_eq!(cluster.pass().await, "a1");
}

#[tokio::test]
async fn an_active_one_that_cannot_say_where_it_registers_is_stuck_once_it_is_replaced() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster
        .candidates(&["b1"])
        .change("a1", |behaviour| behaviour.describe_fails = true);
    let selected = cluster.pass().await;
    let stuck = "b1, stuck: a cannot clear what it registered: it does not know where.";
    assert!(selected.starts_with(stuck), "{selected}");
    assert_eq!(cluster.record(), "b1 [a1]");
}

#[tokio::test]
async fn two_swaps_in_a_row_drain_both() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]).drain("a1", Drain::InProgress);
    cluster.pass().await;
    cluster.candidates(&["c1"]);
    assert_eq!(cluster.pass().await, "a drains before c1: gateway: 1 of 2");
    assert_eq!(cluster.record(), "c1 [a1]", "b1 had nothing to drain");
    cluster.drain("a1", Drain::AtOnce);
    assert_eq!(cluster.pass().await, "c1");
    assert_eq!(cluster.registered(), ["c"]);
}

#[tokio::test]
async fn a_swap_back_drains_only_the_other_one() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]).drain("a1", Drain::InProgress);
    cluster.pass().await;
    cluster.candidates(&["a1"]);
    assert_eq!(cluster.pass().await, "a1");
    assert_eq!(cluster.record(), "a1 []");
    assert_eq!(*lock(&cluster.world.registrations), ["a1", "a1"]);
}

/// Otherwise two of them would register at the same time.
#[tokio::test]
async fn a_candidate_that_waits_does_not_cut_a_drain_short() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&["b1"]).drain("a1", Drain::InProgress);
    cluster.pass().await;
    cluster
        .candidates(&["c1", "b1"])
        .change("c1", |behaviour| behaviour.planning = Planning::Fails);
    assert_eq!(
        cluster.pass().await,
        "a drains before b1: gateway: 1 of 2, c1 waits: it traps"
    );
    assert_eq!(*lock(&cluster.world.registrations), ["a1"]);
    cluster.drain("a1", Drain::AtOnce);
    assert_eq!(cluster.pass().await, "b1, c1 waits: it traps");
}

#[tokio::test]
async fn without_candidates_what_is_registered_stays_recorded() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    cluster.candidates(&[]);
    assert_eq!(cluster.pass().await, "none");
    assert_eq!(cluster.record(), "a1 []");
    cluster.candidates(&["b1"]);
    assert_eq!(cluster.pass().await, "b1");
    assert_eq!(cluster.registered(), ["b"]);
}

#[tokio::test]
async fn a_drain_stops_between_two_plans() {
    let mut cluster = Cluster::with_candidates(&["a1"]);
    cluster.pass().await;
    let stop = CancellationToken::new();
    cluster.handover.stop = stop.clone();
    stop.cancel();
    cluster.candidates(&["b1"]);
    let stopped = "a drains before b1: write key servers of ConfigMap litellm/a1";
    assert_eq!(cluster.pass().await, stopped);
    assert_eq!(cluster.registered(), ["a"]);
    assert_eq!(cluster.restart().pass().await, "b1");
}
