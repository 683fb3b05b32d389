use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::field::ErrorType;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn server() -> McpServer {
    serde_json::from_value(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "github", "namespace": "tools", "generation": 4 },
        "spec": { "image": { "repository": "acme/mcp" }, "transport": "http" },
    }))
    .unwrap()
}

fn rollout(available: i64, updated: i64, total: i64) -> Rollout {
    Rollout {
        wanted: 2,
        available,
        ready: available,
        updated,
        total,
        seen: true,
        stuck: None,
    }
}

fn pass(rollout: Option<Rollout>) -> Pass {
    Pass {
        verdict: Verdict::Valid,
        failure: None,
        rollout,
    }
}

fn registered(mut server: McpServer, status: &str) -> McpServer {
    let condition = Condition {
        type_: LITELLM_REGISTERED.into(),
        status: status.into(),
        reason: "R".into(),
        message: "from the registry".into(),
        observed_generation: Some(4),
        last_transition_time: Time(at(0)),
    };
    server
        .status
        .get_or_insert_default()
        .conditions
        .push(condition);
    server
}

fn phase_after(server: &McpServer, pass: &Pass) -> Phase {
    compute(server, pass, &Settings::default(), at(1))
        .phase
        .unwrap()
}

#[test]
fn the_phase_follows_the_life_of_a_server() {
    assert_eq!(phase_after(&server(), &pass(None)), Phase::Creating);
    assert_eq!(
        phase_after(&server(), &pass(Some(rollout(0, 2, 2)))),
        Phase::Creating
    );
    assert_eq!(
        phase_after(&server(), &pass(Some(rollout(2, 2, 2)))),
        Phase::Creating,
        "not registered yet"
    );
    let known = registered(server(), "True");
    assert_eq!(
        phase_after(&known, &pass(Some(rollout(2, 2, 2)))),
        Phase::Ready
    );
    assert_eq!(
        phase_after(&known, &pass(Some(rollout(2, 1, 3)))),
        Phase::Updating
    );
    assert_eq!(
        phase_after(&known, &pass(Some(rollout(0, 2, 2)))),
        Phase::Creating
    );
    assert_eq!(
        phase_after(
            &registered(server(), "False"),
            &pass(Some(rollout(2, 2, 2)))
        ),
        Phase::Failed
    );
    let mut alone = server();
    alone.spec.litellm.auto_register = false;
    assert_eq!(
        phase_after(&alone, &pass(Some(rollout(2, 2, 2)))),
        Phase::Ready
    );
}

#[test]
fn what_is_wrong_stands_in_the_condition_and_in_the_summary() {
    let error = FieldError {
        field: "spec.image.tag".into(),
        error_type: ErrorType::Required,
        bad_value: None,
        message: "say which".into(),
        code: "image-tag".into(),
    };
    let invalid = Pass {
        verdict: Verdict::Invalid(vec![error]),
        failure: None,
        rollout: Some(rollout(2, 2, 2)),
    };
    let status = compute(&server(), &invalid, &Settings::default(), at(1));
    assert_eq!(status.phase, Some(Phase::Failed));
    for kind in [SPEC_VALID, READY] {
        let condition = conditions::find(&status.conditions, kind).unwrap();
        assert_eq!(
            (condition.status.as_str(), condition.message.as_str()),
            ("False", "spec.image.tag: Required value: say which")
        );
    }
    assert!(
        conditions::is_true(&status.conditions, DEPLOYMENT_READY),
        "what was made earlier still serves"
    );
}

#[test]
fn a_stuck_rollout_is_told_in_the_words_of_the_api() {
    let stuck = crate::rollout::Stuck {
        reason: "FailedCreate".into(),
        message: "exceeded quota".into(),
    };
    let status = compute(
        &server(),
        &pass(Some(Rollout {
            stuck: Some(stuck),
            ..rollout(0, 0, 0)
        })),
        &Settings::default(),
        at(1),
    );
    let condition = conditions::find(&status.conditions, DEPLOYMENT_READY).unwrap();
    assert_eq!(condition.reason, "FailedCreate");
    assert!(condition.message.ends_with("exceeded quota"));
    assert_eq!(status.phase, Some(Phase::Failed));
}

#[test]
fn addresses_are_those_that_litellm_uses() {
    let endpoints = compute(&server(), &pass(None), &Settings::default(), at(1))
        .endpoints
        .unwrap();
    assert_eq!(
        endpoints.mcp.as_deref(),
        Some("http://mcp-github.tools.svc.cluster.local:8080/mcp")
    );
    assert_eq!(
        endpoints.metrics.as_deref(),
        Some("http://mcp-github.tools.svc.cluster.local:8080/metrics")
    );
}

fn any_pass() -> impl Strategy<Value = Pass> {
    let rollouts =
        prop::option::of((0..3_i64, 0..3_i64, 0..3_i64).prop_map(|(a, u, t)| rollout(a, u, t)));
    let failure = prop::option::of(Just(Failure {
        reason: "Forbidden".into(),
        message: "no".into(),
    }));
    let verdict = prop_oneof![
        Just(Verdict::Valid),
        Just(Verdict::Invalid(vec![])),
        Just(Verdict::Unknown(Failure {
            reason: "Trapped".into(),
            message: "plugin".into()
        })),
    ];
    (verdict, failure, rollouts).prop_map(|(verdict, failure, rollout)| Pass {
        verdict,
        failure,
        rollout,
    })
}

proptest! {
    /// The controller's own write wakes it again: the second pass must find nothing to write.
    #[test]
    fn computing_again_changes_nothing(pass in any_pass(), registration in prop_oneof![Just("True"), Just("False"), Just("Unknown")]) {
        let mut server = registered(server(), registration);
        let mut first = compute(&server, &pass, &Settings::default(), at(1));
        prop_assert!(differs(&first, server.status.as_ref().unwrap()));
        let theirs = server.status.take().unwrap().conditions;
        first.conditions.extend(theirs);
        server.status = Some(first.clone());
        let second = compute(&server, &pass, &Settings::default(), at(99));
        prop_assert!(!differs(&second, &first));
        prop_assert_eq!(second.last_updated, first.last_updated);
    }

    #[test]
    fn ready_means_ready(pass in any_pass(), registration in prop_oneof![Just("True"), Just("False"), Just("Unknown")]) {
        let status = compute(&registered(server(), registration), &pass, &Settings::default(), at(1));
        prop_assert_eq!(status.phase == Some(Phase::Ready), conditions::is_true(&status.conditions, READY));
    }
}
