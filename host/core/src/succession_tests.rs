use super::*;
use crate::registration::{
    Action, ConfigKey, HttpRequest, HttpResponse, Registration, Roll, Step, Workload, WorkloadState,
};

fn file(name: &str) -> Read {
    let key = ConfigKey {
        namespace: "litellm".into(),
        name: name.into(),
        key: "servers".into(),
    };
    Read {
        id: "file".into(),
        source: Source::ConfigKey(key),
        written: true,
    }
}

fn list() -> Read {
    let request = HttpRequest {
        connection: "litellm".into(),
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
        body: None,
    };
    Read {
        id: "list".into(),
        source: Source::Http(request),
        written: true,
    }
}

/// The same list, only looked at.
fn verification() -> Read {
    Read {
        written: false,
        ..list()
    }
}

fn registrar(component: &str, reads: &[Read]) -> Registrar {
    Registrar::new(component, reads, |_| Some("http://litellm/".into()))
}

#[test]
fn who_still_looks_after_all_places_need_not_clear_them() {
    let old = registrar("configmap", &[file("a")]);
    assert!(!old.must_leave_before(&registrar("configmap", &[file("a")])));
    assert!(old.must_leave_before(&registrar("configmap", &[file("b")])));
    assert!(old.must_leave_before(&registrar("admin-api", &[list()])));
    assert!(
        registrar("admin-api", &[list()]).must_leave_before(&Registrar::new(
            "admin-api",
            &[list()],
            |_| Some("http://elsewhere/".into())
        ))
    );
    // A strategy that only looks at LiteLLM to verify does not know what another has left there.
    assert!(
        registrar("admin-api", &[list()])
            .must_leave_before(&registrar("configmap", &[file("a"), verification()]))
    );
}

/// Nobody is registered where somebody only looks: not to look there any more, or elsewhere, takes nobody out.
#[test]
fn what_is_only_looked_at_need_not_be_cleared() {
    let plain = registrar("configmap", &[file("a")]);
    let verifying = registrar("configmap", &[file("a"), verification()]);
    let elsewhere = Registrar::new("configmap", &[file("a"), verification()], |_| {
        Some("http://elsewhere/".into())
    });
    for (old, new) in [
        (&verifying, &plain),
        (&plain, &verifying),
        (&verifying, &elsewhere),
    ] {
        assert!(!old.must_leave_before(new));
    }
}

fn observed(state: Observed) -> Vec<Observation> {
    vec![Observation {
        id: "it".into(),
        state,
    }]
}

fn http(status: u16) -> Observed {
    Observed::Http(HttpResponse {
        status,
        headers: Vec::new(),
        body: String::new(),
    })
}

fn workload(complete: bool) -> Observed {
    Observed::Workload(Some(WorkloadState {
        rolled_to: None,
        complete,
        message: "1 of 2".into(),
    }))
}

fn plan(states: &[State]) -> Plan {
    let registration = |state: &State| Registration {
        server: "a/a".into(),
        registered_name: String::new(),
        state: *state,
        reason: "Reason".into(),
        message: format!("{state:?}"),
    };
    Plan {
        steps: Vec::new(),
        registrations: states.iter().map(registration).collect(),
    }
}

#[test]
fn nobody_takes_over_who_could_not_register() {
    let can = |state, states: &[State]| can_take_over(&observed(state), &plan(states));
    assert_eq!(can(http(200), &[State::Pending]), Ok(()));
    assert_eq!(can(http(404), &[]), Ok(()));
    assert_eq!(can(http(200), &[State::Refused, State::Pending]), Ok(()));
    assert_eq!(can(http(200), &[State::Refused]), Err("Refused".into()));
    assert_eq!(can(http(500), &[State::Refused]), Err("Refused".into()));
    assert_eq!(
        can(http(503), &[]),
        Err("it is answered with HTTP 503".into())
    );
    assert_eq!(
        can(Observed::Unavailable("gone".into()), &[]),
        Err("gone".into())
    );
    assert_eq!(
        can(Observed::Workload(None), &[]),
        Err("it does not exist".into())
    );
}

#[test]
fn leaving_ends_with_the_rollout_and_waits_for_nobody_who_is_gone() {
    let nothing = Plan::default();
    assert_eq!(
        departure(&observed(workload(true)), &nothing),
        Departure::Done
    );
    assert_eq!(
        departure(&observed(Observed::Workload(None)), &nothing),
        Departure::Done
    );
    assert_eq!(
        departure(&observed(workload(false)), &nothing),
        Departure::Going("it: 1 of 2".into())
    );
    assert_eq!(
        departure(&observed(Observed::Unavailable("gone".into())), &nothing),
        Departure::Stuck("gone".into())
    );
    assert!(matches!(
        departure(&observed(http(401)), &nothing),
        Departure::Stuck(_)
    ));
    let workload = Workload {
        kind: "Deployment".into(),
        namespace: "a".into(),
        name: "b".into(),
    };
    let roll = Step {
        action: Action::Roll(Roll {
            workload,
            value: "x".into(),
        }),
        servers: Vec::new(),
    };
    let rolling = Plan {
        steps: vec![roll],
        ..Plan::default()
    };
    assert_eq!(
        departure(&[], &rolling),
        Departure::Going("roll Deployment a/b".into())
    );
}

#[test]
fn only_who_sees_everything_can_say_that_nothing_is_left() {
    for (state, clear) in [
        (workload(true), true),
        (Observed::Workload(None), true),
        (http(200), true),
        (http(404), true),
        (Observed::ConfigKey(None), true),
        (workload(false), false),
        (http(503), false),
        (Observed::Unavailable("gone".into()), false),
    ] {
        assert_eq!(is_clear(&observed(state.clone())[0]), clear, "{state:?}");
    }
}
