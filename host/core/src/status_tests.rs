use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mcp_operator_api::names::conditions::{
    AUTOSCALING_ACTIVE, AVAILABLE, DISRUPTION_BUDGET_CREATED, LITELLM_REGISTERED, RECONCILING,
    SERVICE_MONITOR_CREATED, STALLED,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use super::*;
use crate::build::SecretObject;
use crate::field::{ErrorType, FieldError};
use crate::manifest::ManagedKind;
use crate::outcome::{Failure, Presence, Verdict};
use crate::pods::PodIssue;
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
        observed: true,
        stuck: None,
    }
}

fn outcome(rollout: Option<Rollout>) -> ReconcileOutcome {
    ReconcileOutcome {
        rollout,
        has_service: Some(true),
        ..ReconcileOutcome::new(Verdict::Valid)
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

fn phase_after(server: &McpServer, outcome: &ReconcileOutcome) -> Phase {
    compute(server, outcome, &Settings::default(), at(1))
        .phase
        .unwrap()
}

#[test]
fn the_phase_follows_the_life_of_a_server() {
    assert_eq!(phase_after(&server(), &outcome(None)), Phase::Creating);
    assert_eq!(
        phase_after(&server(), &outcome(Some(rollout(0, 2, 2)))),
        Phase::Creating
    );
    assert_eq!(
        phase_after(&server(), &outcome(Some(rollout(2, 2, 2)))),
        Phase::Creating,
        "not registered yet"
    );
    let known = registered(server(), "True");
    assert_eq!(
        phase_after(&known, &outcome(Some(rollout(2, 2, 2)))),
        Phase::Ready
    );
    assert_eq!(
        phase_after(&known, &outcome(Some(rollout(2, 1, 3)))),
        Phase::Updating
    );
    assert_eq!(
        phase_after(&known, &outcome(Some(rollout(0, 2, 2)))),
        Phase::Creating
    );
    assert_eq!(
        phase_after(
            &registered(server(), "False"),
            &outcome(Some(rollout(2, 2, 2)))
        ),
        Phase::Failed
    );
    let mut alone = server();
    alone.spec.litellm.auto_register = false;
    assert_eq!(
        phase_after(&alone, &outcome(Some(rollout(2, 2, 2)))),
        Phase::Ready
    );
}

/// If times counted, every reconcile would write a status, and every write would trigger a reconcile.
#[test]
fn timestamps_make_no_difference() {
    let outcome = outcome(Some(rollout(1, 2, 2)));
    let mut server = registered(server(), "True");
    let first = compute(&server, &outcome, &Settings::default(), at(1));
    let registration = server.status.take().unwrap().conditions;
    let mut stored = first.clone();
    stored.conditions.extend(registration);
    server.status = Some(stored);
    let second = compute(&server, &outcome, &Settings::default(), at(1000));
    assert_eq!(second, first);
    assert!(!differs(&second, &server.status.unwrap()));
}

#[test]
fn an_invalid_specification_shows_in_its_condition_and_in_ready() {
    let error = FieldError {
        field: "spec.image.tag".into(),
        error_type: ErrorType::Required,
        bad_value: None,
        message: "say which".into(),
        code: "image-tag".into(),
    };
    let invalid = ReconcileOutcome {
        rollout: Some(rollout(2, 2, 2)),
        ..ReconcileOutcome::new(Verdict::Invalid(vec![error]))
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
fn a_stuck_rollout_is_explained_as_the_api_does() {
    let stuck = crate::rollout::Stuck {
        reason: "FailedCreate".into(),
        message: "exceeded quota".into(),
    };
    let status = compute(
        &server(),
        &outcome(Some(Rollout {
            stuck: Some(stuck),
            ..rollout(0, 0, 0)
        })),
        &Settings::default(),
        at(1),
    );
    let condition = conditions::find(&status.conditions, DEPLOYMENT_READY).unwrap();
    assert_eq!(condition.reason, "FailedCreate");
    assert!(
        condition
            .message
            .contains(": exceeded quota; where the quota has no room"),
        "{}",
        condition.message
    );
    assert_eq!(status.phase, Some(Phase::Failed));
}

#[test]
fn addresses_are_those_that_litellm_uses() {
    let mut server = server();
    server.spec.observability.metrics.enabled = true;
    let endpoints = compute(&server, &outcome(None), &Settings::default(), at(1))
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

/// Who waits for an address must not be sent to somebody else's Service, or to none (kubernetes-sigs/mcp-lifecycle-operator#302).
#[test]
fn there_are_addresses_while_there_is_a_service_that_has_them() {
    let after = |server: &McpServer, verdict: Verdict, has_service: Option<bool>| {
        let outcome = ReconcileOutcome {
            has_service,
            ..ReconcileOutcome::new(verdict)
        };
        compute(server, &outcome, &Settings::default(), at(1))
    };
    let address =
        |status: &McpServerStatus| status.endpoints.as_ref().and_then(|all| all.mcp.clone());
    let valid = || Verdict::Valid;
    for none in [Some(false), None] {
        assert_eq!(address(&after(&server(), valid(), none)), None);
    }
    assert_eq!(
        address(&after(&server(), Verdict::Invalid(vec![]), Some(true))),
        None
    );
    let mut known = server();
    known.status = Some(after(&known, valid(), Some(true)));
    let before = address(known.status.as_ref().unwrap());
    assert!(before.is_some());
    // The Service stays as the last valid specification made it.
    known.spec.port = 9999;
    for (verdict, has_service, expected) in [
        (Verdict::Invalid(vec![]), Some(true), &before),
        (valid(), None, &before),
        (Verdict::Invalid(vec![]), Some(false), &None),
        (valid(), Some(false), &None),
    ] {
        assert_eq!(address(&after(&known, verdict, has_service)), *expected);
    }
    let moved = address(&after(&known, valid(), Some(true))).unwrap();
    assert!(moved.contains(":9999/"), "{moved}");
}

/// What kstatus goes by.
#[test]
fn what_is_not_ready_is_on_its_way_or_waits_for_somebody() {
    let failure = |kind, needs_somebody| {
        Some(Failure {
            reason: "R".into(),
            message: "m".into(),
            kind: Some(kind),
            needs_somebody,
        })
    };
    let stuck = Rollout {
        stuck: Some(crate::rollout::Stuck {
            reason: "ProgressDeadlineExceeded".into(),
            message: "timed out".into(),
        }),
        ..rollout(0, 1, 1)
    };
    let with_failure = |failure| ReconcileOutcome {
        failure,
        ..outcome(Some(rollout(2, 2, 2)))
    };
    let pulling = ReconcileOutcome {
        pod_issue: Some(PodIssue {
            reason: "ImagePullBackOff".into(),
            message: "not found".into(),
        }),
        ..outcome(Some(rollout(0, 1, 1)))
    };
    let unknown = Verdict::Unknown(failure(ManagedKind::Service, false).unwrap());
    let complete = || outcome(Some(rollout(2, 2, 2)));
    let cases = [
        ("complete", complete(), "True", None),
        ("not created", outcome(None), "True", Some(RECONCILING)),
        (
            "rolling out",
            outcome(Some(rollout(1, 1, 2))),
            "True",
            Some(RECONCILING),
        ),
        ("an image that may come", pulling, "True", Some(RECONCILING)),
        (
            "the deadline has passed",
            outcome(Some(stuck)),
            "True",
            Some(STALLED),
        ),
        (
            "invalid",
            ReconcileOutcome::new(Verdict::Invalid(vec![])),
            "True",
            Some(STALLED),
        ),
        (
            "a plugin fails",
            ReconcileOutcome::new(unknown),
            "True",
            Some(RECONCILING),
        ),
        (
            "in the way",
            with_failure(failure(ManagedKind::Deployment, true)),
            "True",
            Some(STALLED),
        ),
        (
            "a conflict",
            with_failure(failure(ManagedKind::Deployment, false)),
            "True",
            Some(RECONCILING),
        ),
        (
            "a foreign Service",
            with_failure(failure(ManagedKind::Service, true)),
            "True",
            Some(STALLED),
        ),
        (
            "an optional kind",
            with_failure(failure(ManagedKind::ServiceMonitor, true)),
            "True",
            None,
        ),
        ("being registered", complete(), "Unknown", Some(RECONCILING)),
        ("refused by LiteLLM", complete(), "False", Some(STALLED)),
    ];
    for (what, outcome, registration, expected) in cases {
        let server = registered(server(), registration);
        let status = compute(&server, &outcome, &Settings::default(), at(1));
        let found: Vec<&str> = [RECONCILING, STALLED]
            .into_iter()
            .filter(|kind| conditions::is_true(&status.conditions, kind))
            .collect();
        assert_eq!(found, Vec::from_iter(expected), "{what}");
    }
}

#[test]
fn what_is_no_longer_said_is_a_difference() {
    let inactive = json!({ "status": { "conditions": [
        { "type": "ScalingActive", "status": "False", "reason": "FailedGetContainerResourceMetric", "message": "no metrics" },
    ] } });
    let failing = ReconcileOutcome {
        autoscaler: Some(inactive),
        ..outcome(Some(rollout(2, 2, 2)))
    };
    let mut server = registered(server(), "True");
    let first = compute(&server, &failing, &Settings::default(), at(1));
    let (status, reason, message) = condition_of(&first, AUTOSCALING_ACTIVE);
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "FailedGetContainerResourceMetric")
    );
    assert!(message.ends_with("no metrics"), "{message}");
    assert!(conditions::is_true(&first.conditions, READY));
    server
        .status
        .as_mut()
        .unwrap()
        .conditions
        .extend(first.conditions);
    let next = compute(
        &server,
        &outcome(Some(rollout(2, 2, 2))),
        &Settings::default(),
        at(2),
    );
    assert!(conditions::find(&next.conditions, AUTOSCALING_ACTIVE).is_none());
    let old = McpServerStatus {
        conditions: server.status.as_ref().unwrap().conditions.clone(),
        ..next.clone()
    };
    assert!(differs(&next, &old));
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
    let outcome = ReconcileOutcome {
        external_secrets: presences,
        ..outcome(Some(rollout))
    };
    compute(
        &registered(server(), "True"),
        &outcome,
        &Settings::default(),
        at(1),
    )
}

fn condition_of(status: &McpServerStatus, kind: &str) -> (String, String, String) {
    let condition = conditions::find(&status.conditions, kind).unwrap().clone();
    (condition.status, condition.reason, condition.message)
}

#[test]
fn secrets_are_synced_only_if_external_secrets_says_so() {
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
        let (status, found, _) = condition_of(&status, EXTERNAL_SECRET_SYNCED);
        assert_eq!((status.as_str(), found.as_str()), (truth, reason));
    }
    let status = with_secrets(rollout(2, 2, 2), vec![]);
    assert!(
        conditions::find(&status.conditions, EXTERNAL_SECRET_SYNCED).is_none(),
        "no secret is asked for"
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
        assert_eq!(
            condition_of(&status, EXTERNAL_SECRET_SYNCED).0,
            truth,
            "{synced}"
        );
    }
}

#[test]
fn without_external_secrets_the_message_names_the_label_for_rotation() {
    let secrets = vec![(secret("s", false), Presence::NotServed)];
    let status = with_secrets(rollout(2, 2, 2), secrets);
    let message = condition_of(&status, EXTERNAL_SECRET_SYNCED).2;
    assert!(
        message.contains("create Secret s yourself, with the label mcp.litellm.ai/server=github"),
        "{message}"
    );
}

#[test]
fn a_missing_permission_is_noted_and_stops_nothing() {
    let noted = ReconcileOutcome {
        notes: vec!["secrets is forbidden".into()],
        ..outcome(Some(rollout(2, 2, 2)))
    };
    let known = registered(server(), "True");
    let status = compute(&known, &noted, &Settings::default(), at(1));
    assert_eq!(status.phase, Some(Phase::Ready));
    assert_eq!(
        condition_of(&status, READY).2,
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
    assert_eq!(
        condition_of(&status, READY).2,
        "ExternalSecret s: no such key"
    );
    assert_eq!(status.phase, Some(Phase::Failed));
    let status = failing(rollout(2, 2, 2));
    assert_eq!(
        status.phase,
        Some(Phase::Ready),
        "pods that serve have theirs"
    );
}

#[test]
fn a_missing_optional_secret_is_only_mentioned() {
    let missing = Presence::Present(external_secret("False", "no such key"));
    let status = with_secrets(rollout(2, 2, 2), vec![(secret("s", true), missing)]);
    let (status, _, message) = condition_of(&status, EXTERNAL_SECRET_SYNCED);
    assert_eq!(
        (status.as_str(), message.as_str()),
        (
            "True",
            "All required secrets are synced; optional: ExternalSecret s: no such key"
        )
    );
}

#[test]
fn a_service_monitor_elsewhere_is_reported_with_its_namespace() {
    let message = |namespace: &str| {
        let monitor = json!({ "metadata": { "name": "a", "namespace": namespace } });
        let outcome = ReconcileOutcome {
            service_monitor: Some(Presence::Present(monitor)),
            ..outcome(None)
        };
        let status = compute(&server(), &outcome, &Settings::default(), at(1));
        condition_of(&status, SERVICE_MONITOR_CREATED).2
    };
    assert_eq!(
        message("tools"),
        "A ServiceMonitor asks Prometheus to scrape the pods"
    );
    assert_eq!(
        message("monitoring"),
        "A ServiceMonitor in the namespace monitoring asks Prometheus to scrape the pods"
    );
}

#[test]
fn a_failure_shows_in_the_condition_of_its_kind() {
    let failed = |kind| ReconcileOutcome {
        failure: Some(Failure {
            reason: "Forbidden".into(),
            message: "may not".into(),
            kind: Some(kind),
            needs_somebody: true,
        }),
        service_monitor: Some(Presence::Missing),
        ..outcome(Some(rollout(2, 2, 2)))
    };
    let known = registered(server(), "True");
    let status_after = |kind| compute(&known, &failed(kind), &Settings::default(), at(1));
    let status = status_after(ManagedKind::ServiceMonitor);
    assert_eq!(
        condition_of(&status, SERVICE_MONITOR_CREATED).1,
        "Forbidden"
    );
    assert_eq!(status.phase, Some(Phase::Ready), "nothing else stops");
    let status = status_after(ManagedKind::PodDisruptionBudget);
    assert!(conditions::is_true(&status.conditions, DEPLOYMENT_READY));
    assert_eq!(
        (condition_of(&status, READY).1.as_str(), status.phase),
        ("Forbidden", Some(Phase::Failed))
    );
    // Without a NetworkPolicy, nothing would isolate the pods.
    for kind in [ManagedKind::Deployment, ManagedKind::NetworkPolicy] {
        assert_eq!(
            condition_of(&status_after(kind), DEPLOYMENT_READY).1,
            "Forbidden"
        );
    }
}

#[test]
fn what_keeps_a_pod_from_serving_shows_in_ready() {
    let pod_issue = PodIssue {
        reason: "ImagePullBackOff".into(),
        message: "pod a: not found".into(),
    };
    let failing = ReconcileOutcome {
        pod_issue: Some(pod_issue),
        ..outcome(Some(rollout(0, 2, 2)))
    };
    let status = compute(&server(), &failing, &Settings::default(), at(1));
    assert_eq!(condition_of(&status, READY).1, "ImagePullBackOff");
    assert!(condition_of(&status, READY).2.ends_with("pod a: not found"));
}

/// The registration reads no other condition, so nothing but the absence of serving pods may show in this one.
#[test]
fn available_says_only_whether_a_pod_serves() {
    let pod_issue = PodIssue {
        reason: "ImagePullBackOff".into(),
        message: "pod a: not found".into(),
    };
    let failure = Failure {
        reason: "Forbidden".into(),
        message: "may not".into(),
        kind: Some(ManagedKind::Deployment),
        needs_somebody: true,
    };
    let failing = |available| ReconcileOutcome {
        pod_issue: Some(pod_issue.clone()),
        failure: Some(failure.clone()),
        ..outcome(Some(rollout(available, 1, 2)))
    };
    let unreadable = ReconcileOutcome {
        deployments_unreadable: true,
        ..outcome(None)
    };
    for (outcome, truth) in [
        (failing(1), "True"),
        (failing(0), "False"),
        (outcome(None), "False"),
        (unreadable, "Unknown"),
    ] {
        let status = compute(&server(), &outcome, &Settings::default(), at(1));
        assert_eq!(condition_of(&status, AVAILABLE).0, truth);
    }
}

#[test]
fn available_has_a_time_of_its_own_and_is_not_written_for_one_pod_more() {
    let mut server = server();
    let mut after = |rollout, second| {
        let status = compute(
            &server,
            &outcome(Some(rollout)),
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
fn a_disruption_budget_that_is_not_made_has_a_condition() {
    let mut single = server();
    single.spec.replicas = 1;
    let status = compute(&single, &outcome(None), &Settings::default(), at(1));
    assert_eq!(
        condition_of(&status, DISRUPTION_BUDGET_CREATED).1,
        "WouldBlockDrains"
    );
}

fn any_outcome() -> impl Strategy<Value = ReconcileOutcome> {
    let rollouts =
        prop::option::of((0..3_i64, 0..3_i64, 0..3_i64).prop_map(|(a, u, t)| rollout(a, u, t)));
    let kinds = prop::option::of(prop::sample::select(
        ManagedKind::iter().collect::<Vec<_>>(),
    ));
    let failure =
        prop::option::of(
            (kinds, any::<bool>()).prop_map(|(kind, needs_somebody)| Failure {
                reason: "Forbidden".into(),
                message: "no".into(),
                kind,
                needs_somebody,
            }),
        );
    let presence = prop_oneof![
        Just(Presence::NotServed),
        Just(Presence::Missing),
        Just(Presence::Present(json!({}))),
        Just(Presence::Present(external_secret("True", "secret synced"))),
        Just(Presence::Present(external_secret("False", "no such key"))),
    ];
    let pod_issue = prop::option::of(Just(PodIssue {
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
            needs_somebody: false,
        })),
    ];
    let seen = (rollouts, pod_issue, prop::option::of(presence));
    (verdict, failure, seen).prop_map(|(verdict, failure, (rollout, pod_issue, presence))| {
        ReconcileOutcome {
            failure,
            rollout,
            pod_issue,
            external_secrets: presence
                .clone()
                .map(|presence| (secret("a", false), presence))
                .into_iter()
                .collect(),
            service_monitor: presence,
            ..ReconcileOutcome::new(verdict)
        }
    })
}

proptest! {
    /// The controller's own write triggers it again: the second reconcile must find nothing to write, whatever the clock
    /// does meanwhile.
    #[test]
    fn computing_again_changes_nothing(outcome in any_outcome(), clock in -1_000_000_000_i64..4_000_000_000, registration in prop_oneof![Just("True"), Just("False"), Just("Unknown")]) {
        let mut server = registered(server(), registration);
        let mut first = compute(&server, &outcome, &Settings::default(), at(1));
        prop_assert!(differs(&first, server.status.as_ref().unwrap()));
        let theirs = server.status.take().unwrap().conditions;
        first.conditions.extend(theirs);
        server.status = Some(first.clone());
        let second = compute(&server, &outcome, &Settings::default(), at(clock));
        prop_assert!(!differs(&second, &first));
        prop_assert_eq!(second.last_updated, first.last_updated);
    }

    #[test]
    fn ready_means_ready(outcome in any_outcome(), registration in prop_oneof![Just("True"), Just("False"), Just("Unknown")]) {
        let status = compute(&registered(server(), registration), &outcome, &Settings::default(), at(1));
        let is = |kind| conditions::is_true(&status.conditions, kind);
        prop_assert_eq!(status.phase == Some(Phase::Ready), is(READY));
        // Who waits sees one of the three.
        prop_assert_eq!([READY, RECONCILING, STALLED].iter().filter(|kind| is(kind)).count(), 1);
    }
}

/// It has no pods: where it stands is what the gateway says.
#[test]
fn a_remote_server_is_what_the_gateway_says() {
    let remote = || {
        let mut server = server();
        server.spec =
            serde_json::from_value(json!({ "remote": { "url": "https://mcp.example.com/mcp" } }))
                .unwrap();
        server
    };
    let computed = |server: &McpServer| {
        let outcome = ReconcileOutcome::new(Verdict::Valid);
        compute(server, &outcome, &Settings::default(), at(0))
    };
    for (status, phase) in [
        ("True", Phase::Ready),
        ("Unknown", Phase::Creating),
        ("False", Phase::Failed),
    ] {
        let server = registered(remote(), status);
        let computed = computed(&server);
        assert_eq!(computed.phase, Some(phase), "{status}");
        let kinds: Vec<&str> = computed
            .conditions
            .iter()
            .map(|condition| condition.type_.as_str())
            .collect();
        let progress = match status {
            "True" => None,
            "Unknown" => Some(RECONCILING),
            _ => Some(STALLED),
        };
        let expected = [SPEC_VALID].into_iter().chain(progress).chain([READY]);
        assert_eq!(kinds, expected.collect::<Vec<_>>());
        assert_eq!((computed.ready, computed.selector), (None, None));
        assert_eq!(computed.replicas, Some(0));
    }
    let mut alone = remote();
    alone.spec.litellm.auto_register = false;
    assert_eq!(computed(&alone).phase, Some(Phase::Ready));
    let endpoints = computed(&alone).endpoints.unwrap();
    assert_eq!(
        endpoints.mcp.as_deref(),
        Some("https://mcp.example.com/mcp")
    );
    assert_eq!(endpoints.mcp, endpoints.service);
}
