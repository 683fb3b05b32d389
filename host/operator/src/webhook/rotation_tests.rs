use super::*;

const DAY: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(super) fn policy() -> Policy {
    Policy {
        names: vec!["webhook.ns.svc".into()],
        lifetime: DAY * 90,
    }
}

fn step(certificates: &Certificates, is_trusted: bool, day: i32) -> Option<Certificates> {
    let step = certificates.step(&policy(), is_trusted, start() + DAY * day);
    step.unwrap().map(|step| step.certificates)
}

#[test]
fn a_new_one_is_served_only_when_it_is_trusted() {
    let first = Certificates::new(&policy(), start()).unwrap();
    assert_eq!(step(&first, true, 0), None);
    assert_eq!(step(&first, true, 59), None);
    let published = step(&first, true, 60).unwrap();
    assert_eq!(published.serving, first.serving);
    assert_eq!(published.authorities.len(), 2);
    assert_eq!(published.authorities[0], first.authorities[0]);
    // However long it takes, as long as the old one lasts.
    for day in [60, 75, 89] {
        assert_eq!(step(&published, false, day), None, "day {day}");
    }
    let promoted = step(&published, true, 61).unwrap();
    assert_eq!(Some(&promoted.serving), published.next.as_ref());
    assert_eq!(promoted.next, None);
    assert_eq!(
        promoted.authorities, published.authorities,
        "of replicas that are behind"
    );
    assert_eq!(step(&promoted, true, 61), None, "and again changes nothing");

    // The round after it forgets the first authority.
    let second = step(&promoted, true, 60 + 60).unwrap();
    assert_eq!(second.authorities.len(), 2);
    assert_eq!(second.authorities[0], promoted.authorities[1]);
    assert_eq!(second.serving, promoted.serving);
}

#[test]
fn what_no_client_would_accept_is_replaced_at_once() {
    let first = Certificates::new(&policy(), start()).unwrap();
    let expired = step(&first, false, 90).unwrap();
    assert_ne!(expired.serving, first.serving);
    assert_eq!(
        expired.authorities.len(),
        1,
        "nobody trusts what has expired"
    );
    assert!(Facts::of(&expired.serving.certificate).unwrap().expires > start() + DAY * 179);
    assert!(step(&first, false, -1).is_some(), "from the future");

    let elsewhere = Policy {
        names: vec!["webhook.other.svc".into()],
        ..policy()
    };
    let foreign = first.step(&elsewhere, false, start()).unwrap().unwrap();
    assert_eq!(foreign.certificates.authorities[0], first.authorities[0]);
    assert_eq!(
        Facts::of(&foreign.certificates.serving.certificate)
            .unwrap()
            .names,
        elsewhere.names
    );
    assert!(
        foreign.why.contains("it is not for webhook.other.svc"),
        "{}",
        foreign.why
    );

    let mut broken = first;
    broken.serving.certificate = "no".into();
    assert!(step(&broken, false, 0).is_some());
}

#[test]
fn a_next_one_that_has_become_useless_is_made_anew() {
    let first = Certificates::new(&policy(), start()).unwrap();
    let mut published = step(&first, false, 60).unwrap();
    published.next.as_mut().unwrap().certificate = "no".into();
    let again = step(&published, true, 61).unwrap();
    assert_eq!(again.serving, first.serving);
    assert_eq!(again.authorities[0], first.authorities[0]);
    assert_eq!(again.authorities.len(), 2);
    assert!(is_usable(
        again.next.as_ref().unwrap(),
        &policy(),
        start() + DAY * 61
    ));
}

/// Such as those that earlier versions made for five years.
#[test]
fn one_that_lasts_longer_than_wanted_is_renewed_by_the_wanted_life() {
    let long = Policy {
        lifetime: DAY * 5 * 365,
        ..policy()
    };
    let old = Certificates::new(&long, start()).unwrap();
    assert_eq!(step(&old, false, 59), None);
    assert!(step(&old, false, 60).unwrap().next.is_some());
}

/// A replica that stood still, or was restarted with other options, may be several steps behind.
#[test]
fn what_has_not_expired_stays_trusted_and_is_not_without_bounds() {
    let short = Policy {
        lifetime: SignedDuration::from_mins(2),
        ..policy()
    };
    let mut certificates = Certificates::new(&policy(), start()).unwrap();
    let first = certificates.authorities.clone();
    let mut now = start();
    for round in 1..=10 {
        // The one wants days, the other minutes.
        let wanted = if round % 2 == 0 {
            policy()
        } else {
            short.clone()
        };
        now += SignedDuration::from_secs(90);
        for trusted in [false, true] {
            let step = certificates.step(&wanted, trusted, now).unwrap();
            certificates = step.unwrap().certificates;
        }
        let kept = &certificates.authorities;
        assert!(kept.len() <= MOST_AUTHORITIES, "{}", kept.len());
        if round < 5 {
            assert_eq!(kept[..1], first, "round {round}");
        }
        for authority in kept {
            assert!(Facts::of(authority).unwrap().expires > now);
        }
        let served = certificates.serving_authority();
        assert_eq!(Some(&served[0]), kept.last());
    }
}

/// The next one is served before this one ends, however long those are made for that follow it.
#[test]
fn what_lasts_for_minutes_leaves_little_time_between_two_steps() {
    let (minutes, seconds) = (SignedDuration::from_mins, Duration::from_secs);
    let short = Policy {
        lifetime: minutes(2),
        ..policy()
    };
    let served = Certificates::new(&short, start()).unwrap();
    for (policy, after, longest) in [
        (&short, minutes(0), seconds(5)),
        // Options that were put back, while what they had made is still served.
        (&policy(), minutes(0), seconds(5)),
        (&policy(), SignedDuration::from_secs(104), seconds(4)),
        (&policy(), minutes(2), SHORTEST),
        (&policy(), minutes(60), SHORTEST),
    ] {
        let wait = served.bounded(PROPAGATION, policy, start() + after);
        assert_eq!(wait, longest, "{after:?}");
    }
    // Nobody was there for nearly all of its life.
    let long = Certificates::new(&policy(), start()).unwrap();
    assert_eq!(long.bounded(PROPAGATION, &policy(), start()), PROPAGATION);
    let late = start() + DAY * 90 - minutes(1);
    assert_eq!(long.bounded(PROPAGATION, &policy(), late), seconds(15));
}
