use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mcp_operator_api::names::conditions::{
    AVAILABLE, DISRUPTION_BUDGET_CREATED, LITELLM_REGISTERED, SERVICE_MONITOR_CREATED,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use super::*;
use crate::build::SecretObject;
use crate::field::{ErrorType, FieldError};
use crate::manifest::ManagedKind;
use crate::pass::{Failure, Presence, Verdict};
use crate::pods::Trouble;
use crate::rollout::Rollout;

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
        rollout,
        ..Pass::new(Verdict::Valid)
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

/// A time in what is written makes every pass a change, and every change a pass.
#[test]
fn timestamps_make_no_difference() {
    let pass = pass(Some(rollout(1, 2, 2)));
    let mut server = registered(server(), "True");
    let first = compute(&server, &pass, &Settings::default(), at(1));
    let registration = server.status.take().unwrap().conditions;
    let mut stored = first.clone();
    stored.conditions.extend(registration);
    server.status = Some(stored);
    let second = compute(&server, &pass, &Settings::default(), at(1000));
    assert_eq!(second, first);
    assert!(!differs(&second, &server.status.unwrap()));
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
        rollout: Some(rollout(2, 2, 2)),
        ..Pass::new(Verdict::Invalid(vec![error]))
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

fn secret(name: &str, optional: bool) -> SecretObject {
    SecretObject {
        name: name.into(),
        optional,
        fetched: true,
    }
}

fn external_secret(ready: &str, message: &str) -> Value {
    json!({ "status": { "conditions": [{ "type": "Ready", "status": ready, "reason": "SecretSyncedError", "message": message }] } })
}

fn with_secrets(rollout: Rollout, presences: Vec<(SecretObject, Presence)>) -> McpServerStatus {
    let pass = Pass {
        external_secrets: presences,
        ..pass(Some(rollout))
    };
    compute(
        &registered(server(), "True"),
        &pass,
        &Settings::default(),
        at(1),
    )
}

fn said(status: &McpServerStatus, kind: &str) -> (String, String, String) {
    let condition = conditions::find(&status.conditions, kind).unwrap().clone();
    (condition.status, condition.reason, condition.message)
}

#[test]
fn secrets_are_in_sync_only_if_external_secrets_says_so() {
    for (presence, truth, reason) in [
        (Presence::Missing, "False", "NotCreated"),
        (Presence::NotServed, "False", "ApiNotInstalled"),
        (Presence::Present(json!({})), "Unknown", "Waiting"),
        (
            Presence::Present(external_secret("False", "no such key")),
            "False",
            "SecretSyncedError",
        ),
        (
            Presence::Present(external_secret("True", "")),
            "True",
            "SecretSynced",
        ),
    ] {
        let status = with_secrets(
            rollout(2, 2, 2),
            vec![(secret("mcp-github-secrets", false), presence)],
        );
        let (status, said, _) = said(&status, EXTERNAL_SECRET_SYNCED);
        assert_eq!((status.as_str(), said.as_str()), (truth, reason));
    }
    let status = with_secrets(rollout(2, 2, 2), vec![]);
    assert!(
        conditions::find(&status.conditions, EXTERNAL_SECRET_SYNCED).is_none(),
        "nobody asked"
    );
}

/// What is Ready may be an older version of an ExternalSecret, of which External Secrets notes the generation.
#[test]
fn an_older_version_of_an_external_secret_is_not_in_sync() {
    for (synced, truth) in [
        ("3-5b6a", "True"),
        ("2-5b6a", "Unknown"),
        ("something else", "True"),
    ] {
        let mut object = external_secret("True", "");
        object["metadata"]["generation"] = json!(3);
        object["status"]["syncedResourceVersion"] = json!(synced);
        let secrets = vec![(secret("s", false), Presence::Present(object))];
        let status = with_secrets(rollout(2, 2, 2), secrets);
        assert_eq!(said(&status, EXTERNAL_SECRET_SYNCED).0, truth, "{synced}");
    }
}

#[test]
fn who_makes_a_secret_by_hand_is_told_what_makes_it_rotate() {
    let secrets = vec![(secret("s", false), Presence::NotServed)];
    let status = with_secrets(rollout(2, 2, 2), secrets);
    let message = said(&status, EXTERNAL_SECRET_SYNCED).2;
    assert!(
        message.contains("create Secret s yourself, with the label mcp.litellm.ai/server=github"),
        "{message}"
    );
}

#[test]
fn what_the_operator_may_not_do_is_noted_and_stops_nothing() {
    let noted = Pass {
        notes: vec!["secrets is forbidden".into()],
        ..pass(Some(rollout(2, 2, 2)))
    };
    let known = registered(server(), "True");
    let status = compute(&known, &noted, &Settings::default(), at(1));
    assert_eq!(status.phase, Some(Phase::Ready));
    assert_eq!(
        said(&status, READY).2,
        "Everything is there and serves; secrets is forbidden"
    );
}

#[test]
fn a_missing_secret_is_the_cause_where_no_pod_starts() {
    let failing = |rollout| {
        with_secrets(
            rollout,
            vec![(
                secret("s", false),
                Presence::Present(external_secret("False", "no such key")),
            )],
        )
    };
    let status = failing(rollout(0, 2, 2));
    assert_eq!(said(&status, READY).2, "ExternalSecret s: no such key");
    assert_eq!(status.phase, Some(Phase::Failed));
    let status = failing(rollout(2, 2, 2));
    assert_eq!(
        status.phase,
        Some(Phase::Ready),
        "pods that serve have theirs"
    );
}

#[test]
fn an_optional_secret_is_only_mentioned() {
    let missing = Presence::Present(external_secret("False", "no such key"));
    let status = with_secrets(rollout(2, 2, 2), vec![(secret("s", true), missing)]);
    let (status, _, message) = said(&status, EXTERNAL_SECRET_SYNCED);
    assert_eq!(
        (status.as_str(), message.as_str()),
        (
            "True",
            "All required secrets are synced; optional: ExternalSecret s: no such key"
        )
    );
}

#[test]
fn a_service_monitor_elsewhere_is_told_with_its_namespace() {
    let told = |namespace: &str| {
        let monitor = json!({ "metadata": { "name": "a", "namespace": namespace } });
        let pass = Pass {
            service_monitor: Some(Presence::Present(monitor)),
            ..pass(None)
        };
        let status = compute(&server(), &pass, &Settings::default(), at(1));
        said(&status, SERVICE_MONITOR_CREATED).2
    };
    assert_eq!(told("tools"), "Prometheus scrapes the pods");
    assert_eq!(
        told("monitoring"),
        "Prometheus scrapes the pods, by a ServiceMonitor in the namespace monitoring"
    );
}

#[test]
fn a_failure_stands_where_it_belongs() {
    let failed = |kind| Pass {
        failure: Some(Failure {
            reason: "Forbidden".into(),
            message: "may not".into(),
            kind: Some(kind),
        }),
        service_monitor: Some(Presence::Missing),
        ..pass(Some(rollout(2, 2, 2)))
    };
    let known = registered(server(), "True");
    let judged = |kind| compute(&known, &failed(kind), &Settings::default(), at(1));
    let status = judged(ManagedKind::ServiceMonitor);
    assert_eq!(said(&status, SERVICE_MONITOR_CREATED).1, "Forbidden");
    assert_eq!(status.phase, Some(Phase::Ready), "nothing else stops");
    let status = judged(ManagedKind::PodDisruptionBudget);
    assert!(conditions::is_true(&status.conditions, DEPLOYMENT_READY));
    assert_eq!(
        (said(&status, READY).1.as_str(), status.phase),
        ("Forbidden", Some(Phase::Failed))
    );
    // Without a NetworkPolicy, nothing would isolate the pods.
    for kind in [ManagedKind::Deployment, ManagedKind::NetworkPolicy] {
        assert_eq!(said(&judged(kind), DEPLOYMENT_READY).1, "Forbidden");
    }
}

#[test]
fn what_a_pod_suffers_from_is_told() {
    let trouble = Trouble {
        reason: "ImagePullBackOff".into(),
        message: "pod a: not found".into(),
    };
    let suffering = Pass {
        trouble: Some(trouble),
        ..pass(Some(rollout(0, 2, 2)))
    };
    let status = compute(&server(), &suffering, &Settings::default(), at(1));
    assert_eq!(said(&status, READY).1, "ImagePullBackOff");
    assert!(said(&status, READY).2.ends_with("pod a: not found"));
}

/// The registry reads nothing else: what is wrong beside a pod that serves must not show there.
#[test]
fn available_says_only_whether_a_pod_serves() {
    let trouble = Trouble {
        reason: "ImagePullBackOff".into(),
        message: "pod a: not found".into(),
    };
    let failure = Failure {
        reason: "Forbidden".into(),
        message: "may not".into(),
        kind: Some(ManagedKind::Deployment),
    };
    let troubled = |available| Pass {
        trouble: Some(trouble.clone()),
        failure: Some(failure.clone()),
        ..pass(Some(rollout(available, 1, 2)))
    };
    let hidden = Pass {
        blind: true,
        ..pass(None)
    };
    for (pass, truth) in [
        (troubled(1), "True"),
        (troubled(0), "False"),
        (pass(None), "False"),
        (hidden, "Unknown"),
    ] {
        let status = compute(&server(), &pass, &Settings::default(), at(1));
        assert_eq!(said(&status, AVAILABLE).0, truth);
    }
}

#[test]
fn available_has_a_time_of_its_own_and_is_not_written_for_one_pod_more() {
    let mut server = server();
    let mut after = |rollout, second| {
        let status = compute(
            &server,
            &pass(Some(rollout)),
            &Settings::default(),
            at(second),
        );
        server.status = Some(status.clone());
        conditions::find(&status.conditions, AVAILABLE)
            .unwrap()
            .clone()
    };
    let one = after(rollout(1, 1, 2), 10);
    let two = after(rollout(2, 2, 2), 20);
    assert_eq!(one, two);
    let none = after(rollout(0, 2, 2), 3600);
    assert_eq!(none.last_transition_time.0, at(3600));
}

#[test]
fn a_withheld_disruption_budget_says_so() {
    let mut single = server();
    single.spec.replicas = 1;
    let status = compute(&single, &pass(None), &Settings::default(), at(1));
    assert_eq!(
        said(&status, DISRUPTION_BUDGET_CREATED).1,
        "WouldBlockDrains"
    );
}

fn any_pass() -> impl Strategy<Value = Pass> {
    let rollouts =
        prop::option::of((0..3_i64, 0..3_i64, 0..3_i64).prop_map(|(a, u, t)| rollout(a, u, t)));
    let kinds = prop::option::of(prop::sample::select(
        ManagedKind::iter().collect::<Vec<_>>(),
    ));
    let failure = prop::option::of(kinds.prop_map(|kind| Failure {
        reason: "Forbidden".into(),
        message: "no".into(),
        kind,
    }));
    let presence = prop_oneof![
        Just(Presence::NotServed),
        Just(Presence::Missing),
        Just(Presence::Present(json!({}))),
        Just(Presence::Present(external_secret("True", "secret synced"))),
        Just(Presence::Present(external_secret("False", "no such key"))),
    ];
    let trouble = prop::option::of(Just(Trouble {
        reason: "ImagePullBackOff".into(),
        message: "no such image".into(),
    }));
    let verdict = prop_oneof![
        Just(Verdict::Valid),
        Just(Verdict::Invalid(vec![])),
        Just(Verdict::Unknown(Failure {
            reason: "Trapped".into(),
            message: "plugin".into(),
            kind: None,
        })),
    ];
    let seen = (rollouts, trouble, prop::option::of(presence));
    (verdict, failure, seen).prop_map(|(verdict, failure, (rollout, trouble, presence))| Pass {
        failure,
        rollout,
        trouble,
        external_secrets: presence
            .clone()
            .map(|presence| (secret("a", false), presence))
            .into_iter()
            .collect(),
        service_monitor: presence,
        ..Pass::new(verdict)
    })
}

proptest! {
    /// The controller's own write wakes it again: the second pass must find nothing to write, whatever the clock does
    /// meanwhile.
    #[test]
    fn computing_again_changes_nothing(pass in any_pass(), clock in -1_000_000_000_i64..4_000_000_000, registration in prop_oneof![Just("True"), Just("False"), Just("Unknown")]) {
        let mut server = registered(server(), registration);
        let mut first = compute(&server, &pass, &Settings::default(), at(1));
        prop_assert!(differs(&first, server.status.as_ref().unwrap()));
        let theirs = server.status.take().unwrap().conditions;
        first.conditions.extend(theirs);
        server.status = Some(first.clone());
        let second = compute(&server, &pass, &Settings::default(), at(clock));
        prop_assert!(!differs(&second, &first));
        prop_assert_eq!(second.last_updated, first.last_updated);
    }

    #[test]
    fn ready_means_ready(pass in any_pass(), registration in prop_oneof![Just("True"), Just("False"), Just("Unknown")]) {
        let status = compute(&registered(server(), registration), &pass, &Settings::default(), at(1));
        prop_assert_eq!(status.phase == Some(Phase::Ready), conditions::is_true(&status.conditions, READY));
    }
}
