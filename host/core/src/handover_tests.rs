use super::*;
use crate::registration_plan::{
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

/// The same list, only read.
fn verification() -> Read {
    Read {
        written: false,
        ..list()
    }
}

fn registrar(component: &str, reads: &[Read]) -> RegistrarFootprint {
    RegistrarFootprint::new(component, reads, |_| Some("http://litellm/".into()))
}

#[test]
fn a_registrar_is_drained_unless_its_successor_covers_all_its_locations() {
    let old = registrar("configmap", &[file("a")]);
    assert!(!old.must_drain_before(&registrar("configmap", &[file("a")])));
    assert!(old.must_drain_before(&registrar("configmap", &[file("b")])));
    assert!(old.must_drain_before(&registrar("admin-api", &[list()])));
    assert!(
        registrar("admin-api", &[list()]).must_drain_before(&RegistrarFootprint::new(
            "admin-api",
            &[list()],
            |_| Some("http://elsewhere/".into())
        ))
    );
    // A strategy that reads LiteLLM only to verify does not remove what another one has registered there.
    assert!(
        registrar("admin-api", &[list()])
            .must_drain_before(&registrar("configmap", &[file("a"), verification()]))
    );
}

/// Where a registrar only reads, no server is registered.
#[test]
fn what_is_only_read_need_not_be_drained() {
    let plain = registrar("configmap", &[file("a")]);
    let verifying = registrar("configmap", &[file("a"), verification()]);
    let elsewhere = RegistrarFootprint::new("configmap", &[file("a"), verification()], |_| {
        Some("http://elsewhere/".into())
    });
    for (old, new) in [
        (&verifying, &plain),
        (&plain, &verifying),
        (&verifying, &elsewhere),
    ] {
        assert!(!old.must_drain_before(new));
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
        obstacle: None,
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
fn a_registrar_that_could_not_register_does_not_take_over() {
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
fn draining_ends_with_the_rollout_and_does_not_wait_for_a_gateway_that_is_gone() {
    let nothing = Plan::default();
    assert_eq!(
        drain_state(&observed(workload(true)), &nothing),
        DrainState::Done
    );
    assert_eq!(
        drain_state(&observed(Observed::Workload(None)), &nothing),
        DrainState::Done
    );
    assert_eq!(
        drain_state(&observed(workload(false)), &nothing),
        DrainState::InProgress("it: 1 of 2".into())
    );
    assert_eq!(
        drain_state(&observed(Observed::Unavailable("gone".into())), &nothing),
        DrainState::Stuck("gone".into())
    );
    assert!(matches!(
        drain_state(&observed(http(401)), &nothing),
        DrainState::Stuck(_)
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
        drain_state(&[], &rolling),
        DrainState::InProgress("roll Deployment a/b".into())
    );
}

#[test]
fn nothing_is_left_only_if_everything_was_shown() {
    for (state, shows_all) in [
        (workload(true), true),
        (Observed::Workload(None), true),
        (http(200), true),
        (http(404), true),
        (Observed::ConfigKey(None), true),
        (workload(false), false),
        (http(503), false),
        (Observed::Unavailable("gone".into()), false),
    ] {
        assert_eq!(
            shows_everything(&observed(state.clone())[0]),
            shows_all,
            "{state:?}"
        );
    }
}
