use super::*;

const TIMING: LeaseTiming = LeaseTiming {
    duration: Duration::from_secs(15),
};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_000 + seconds)
}

fn replica(name: &str) -> LeaderElection {
    LeaderElection::new(name.into(), TIMING)
}

fn record(holder: &str, version: u64) -> LeaseRecord {
    LeaseRecord {
        holder: (!holder.is_empty()).then(|| holder.to_owned()),
        duration: TIMING.duration,
        transitions: 3,
        version,
    }
}

/// What is written at this time; nothing: it waits.
fn claim(replica: &LeaderElection, now: Duration) -> Option<Claim> {
    match replica.next(now) {
        LeaseStep::Write(claim) => Some(claim),
        LeaseStep::WaitUntil(due) => {
            assert!(due > now, "it would spin");
            None
        }
    }
}

#[test]
fn who_knows_nothing_writes_nothing() {
    assert_eq!(claim(&replica("a"), at(0)), None);
}

#[test]
fn what_nobody_has_is_taken_at_once() {
    let mut a = replica("a");
    a.observe(None, at(0));
    let created = Claim {
        replaces: None,
        transitions: 0,
        is_new: true,
    };
    assert_eq!(claim(&a, at(0)), Some(created));
    let mut b = replica("b");
    b.observe(Some(record("", 7)), at(0));
    let taken = Claim {
        replaces: Some(7),
        transitions: 4,
        is_new: true,
    };
    assert_eq!(claim(&b, at(0)), Some(taken));
}

#[test]
fn the_holder_renews_and_stops_writing_before_others_may() {
    let mut a = replica("a");
    a.observe(None, at(0));
    a.written(record("a", 1), at(0));
    assert_eq!(a.held_until(), Some(at(10)));
    assert_eq!(claim(&a, at(1)), None);
    let renewal = claim(&a, at(2)).unwrap();
    assert_eq!(
        (renewal.replaces, renewal.transitions, renewal.is_new),
        (Some(1), 3, false)
    );
    a.failed(at(5));
    assert_eq!(claim(&a, at(6)), None);
    assert!(claim(&a, at(7)).is_some());
    a.expire(at(9));
    assert!(a.held_until().is_some());
    a.expire(at(10));
    assert_eq!(a.held_until(), None);
    // Nobody else has taken it: another term begins.
    assert!(claim(&a, at(10)).unwrap().is_new);
}

#[test]
fn others_wait_for_its_whole_duration_after_the_last_change_that_they_saw() {
    let mut b = replica("b");
    b.observe(Some(record("a", 1)), at(0));
    b.observe(Some(record("a", 2)), at(4));
    // What is older than what is known is no change.
    b.observe(Some(record("a", 1)), at(8));
    b.observe(Some(record("a", 2)), at(9));
    assert_eq!(claim(&b, at(18)), None);
    assert_eq!(b.next(at(18)), LeaseStep::WaitUntil(at(19)));
    assert_eq!(claim(&b, at(19)).unwrap().replaces, Some(2));
}

#[test]
fn the_duration_is_the_one_that_the_holder_promised() {
    let mut b = replica("b");
    let longer = LeaseRecord {
        duration: Duration::from_mins(1),
        ..record("a", 1)
    };
    b.observe(Some(longer), at(0));
    assert_eq!(claim(&b, at(59)), None);
    assert!(claim(&b, at(60)).is_some());
}

#[test]
fn who_sees_another_holder_has_lost_it() {
    let mut a = replica("a");
    a.observe(None, at(0));
    a.written(record("a", 1), at(0));
    a.observe(Some(record("b", 2)), at(3));
    assert_eq!(a.held_until(), None);
    assert_eq!(claim(&a, at(17)), None);
    assert!(claim(&a, at(18)).is_some());
}

#[test]
fn a_lease_that_somebody_deletes_is_made_again_by_its_holder_and_waited_for_by_others() {
    let (mut a, mut b) = (replica("a"), replica("b"));
    a.observe(None, at(0));
    a.written(record("a", 1), at(0));
    b.observe(Some(record("a", 1)), at(0));
    for replica in [&mut a, &mut b] {
        replica.observe(None, at(1));
    }
    let again = claim(&a, at(2)).unwrap();
    assert_eq!((again.replaces, again.is_new), (None, false));
    assert_eq!(claim(&b, at(15)), None, "the holder may still write");
    assert_eq!(claim(&b, at(16)).unwrap().replaces, None);
}

#[test]
fn an_answer_that_is_overtaken_gives_nothing() {
    let mut a = replica("a");
    a.observe(None, at(0));
    a.observe(Some(record("b", 5)), at(1));
    a.written(record("a", 4), at(0));
    assert_eq!(a.held_until(), None);
    assert_eq!(a.holder(), Some("b"));
    assert_eq!(a.to_release(), None);
}

/// etcd is restored from a backup: everything has a lower version than what was seen.
#[test]
fn an_older_lease_is_believed_from_who_was_asked() {
    let mut a = replica("a");
    a.observe(Some(record("", 1_000)), at(0));
    assert_eq!(claim(&a, at(0)).unwrap().replaces, Some(1_000));
    a.failed(at(0));
    a.observe(Some(record("b", 900)), at(1));
    assert_eq!(claim(&a, at(2)).unwrap().replaces, Some(1_000));
    a.failed(at(2));
    a.observe_answer(Some(record("b", 900)), at(2));
    assert_eq!(claim(&a, at(16)), None, "b may still write");
    a.observe_answer(Some(record("b", 900)), at(10));
    assert_eq!(claim(&a, at(17)).unwrap().replaces, Some(900));
    a.written(record("a", 901), at(17));
    assert!(a.held_until().is_some());
    a.observe_answer(Some(record("b", 902)), at(18));
    assert_eq!(a.held_until(), None, "it was taken");
}
