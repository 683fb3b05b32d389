//! Requests that fail.

use std::time::Duration;

use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_metrics::Format;
use mcp_testkit::{Failure, Fault, Times};
use tokio::time::timeout;

use super::*;

const SERVICE: ManagedKind = ManagedKind::Service;

/// A server whose Service has to be put back, which fails.
async fn failing(fault: impl Into<Fault>, times: Times) -> World {
    let world = World::with_server(little()).await;
    world
        .api
        .edit(SERVICE.name(), NAMESPACE, CHILD, rename_instance);
    world.api.fail(applies(SERVICE), fault, times);
    world
}

#[tokio::test(start_paused = true)]
async fn what_may_resolve_itself_is_reported_when_it_happens_again() {
    for (code, reason, class) in [
        (409, "Conflict", ErrorClass::Conflict),
        (429, "TooManyRequests", ErrorClass::Transient),
        (500, "ApiServerError", ErrorClass::Transient),
        (503, "ApiServerError", ErrorClass::Transient),
    ] {
        let world = failing(Failure::new(code, "", "not now"), Times::Always).await;
        let error = world.reconcile().await.unwrap_err();
        assert_eq!((error.category(), error.class()), (reason, class));
        assert_eq!(world.ready().0, "Ready", "{code}: not reported yet");
        world.retry().await.unwrap_err();
        let message = "apply Service tools/mcp-weather: not now".to_owned();
        assert_eq!(world.ready(), (reason.into(), message));
        world.api.heal();
        world.retry().await.unwrap();
        assert_eq!(world.ready().0, "Ready");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_tried_again() {
    let world = failing(Fault::ConnectionReset, Times::Once).await;
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.category(), "ApiServerUnreachable");
    assert_eq!(error.class(), ErrorClass::Transient);
    assert!(matches!(world.retry().await, Ok(Progress::Applied(_))));
}

/// Whoever refuses an object may repeat what is in it, and more people read a condition than a Deployment.
#[tokio::test(start_paused = true)]
async fn no_condition_shows_a_value_of_the_environment_or_the_configuration() {
    let mut spec = little();
    spec["env"] = json!([{ "name": "TOKEN", "value": "hunter2-hunter2" }]);
    spec["config"] = json!({ "db": { "password": "s3cret-s3cret" } });
    let world = World::new().await;
    world.put_server(spec);
    let message = "policy: TOKEN=hunter2-hunter2 with s3cret-s3cret is not allowed";
    world.api.deny(applies(ManagedKind::Deployment), message);
    world.reconcile().await.unwrap_err();
    let (_, told) = world.ready();
    assert!(
        told.ends_with("policy: TOKEN=... with ... is not allowed"),
        "{told}"
    );
    let server = world.api.get("MCPServer", NAMESPACE, NAME).unwrap();
    let status = server["status"].to_string();
    assert!(
        !status.contains("hunter2") && !status.contains("s3cret"),
        "{status}"
    );
    for event in world.api.objects_of("Event") {
        let note = event["note"].as_str().unwrap();
        assert!(
            !note.contains("hunter2") && !note.contains("s3cret"),
            "{note}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_reported_at_once() {
    let refusal = Failure::new(422, "Invalid", "Service is invalid: spec.ports");
    let world = failing(refusal, Times::Always).await;
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Terminal);
    let message = "apply Service tools/mcp-weather: Service is invalid: spec.ports".to_owned();
    assert_eq!(world.ready(), ("Invalid".into(), message));
    assert!(world.events().contains(&"Invalid".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_written_keeps_no_other_from_being_made() {
    for kind in [
        ManagedKind::Service,
        ManagedKind::PodDisruptionBudget,
        ManagedKind::ExternalSecret,
        ManagedKind::HorizontalPodAutoscaler,
    ] {
        let world = World::new().await;
        world.put_server(everything());
        world.api.deny(applies(kind), "you may not");
        let error = world.reconcile().await.unwrap_err();
        assert_eq!(
            (error.category(), error.class()),
            ("Forbidden", ErrorClass::External)
        );
        let made = ManagedKind::iter().filter(|made| *made != kind);
        assert_eq!(world.kinds(), made.collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn without_what_its_pods_need_no_deployment_is_made_or_changed() {
    for kind in ManagedKind::iter().filter(|kind| kind.is_needed_by_pods()) {
        let world = World::new().await;
        world.put_server(everything());
        world.api.deny(applies(kind), "you may not");
        world.reconcile().await.unwrap_err();
        let (_, reason, message) = world.condition(conditions::DEPLOYMENT_READY).unwrap();
        assert_eq!(reason, "Forbidden");
        assert!(message.ends_with("you may not"), "{message}");
        for missing in [
            ManagedKind::Deployment,
            ManagedKind::HorizontalPodAutoscaler,
        ] {
            assert!(!world.exists(missing), "{missing:?} without {kind:?}");
        }
        assert!(world.exists(ManagedKind::Service));
        world.api.heal();
        world.retry().await.unwrap();
        assert!(world.exists(ManagedKind::HorizontalPodAutoscaler));
    }
}

/// An autoscaler that exists is kept up to date although its Deployment cannot be changed.
#[tokio::test(start_paused = true)]
async fn an_autoscaler_needs_a_deployment_and_not_its_last_change() {
    let world = World::with_server(everything()).await;
    world.edit_spec(|spec| {
        spec["image"]["tag"] = json!("2.0.0");
        spec["autoscaling"]["maxReplicas"] = json!(9);
    });
    world.api.fail(
        applies(ManagedKind::Deployment),
        Failure::internal("no"),
        Times::Once,
    );
    world.reconcile().await.unwrap_err();
    let scaler = world.api.get("HorizontalPodAutoscaler", NAMESPACE, CHILD);
    assert_eq!(scaler.unwrap()["spec"]["maxReplicas"], 9);
}

/// The same one each time: a condition that changes its words with each reconcile would be a write each time.
#[tokio::test(start_paused = true)]
async fn of_several_failures_what_pods_need_is_reported_first_and_optional_kinds_last() {
    for (failing, reported) in [
        ([ManagedKind::Service, ManagedKind::ConfigMap], "ConfigMap"),
        (
            [ManagedKind::ServiceMonitor, ManagedKind::Service],
            "Service",
        ),
        (
            [ManagedKind::ExternalSecret, ManagedKind::Deployment],
            "Deployment",
        ),
        ([ManagedKind::Deployment, ManagedKind::Service], "Service"),
    ] {
        let world = World::new().await;
        world.put_server(everything());
        for kind in failing {
            world.api.deny(applies(kind), "you may not");
        }
        let error = world.reconcile().await.unwrap_err();
        let message = error.to_string();
        let ReconcileError::Failed {
            kind: Some(kind), ..
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(kind.name(), reported);
        let expected = format!("apply {reported} tools/{}: you may not", place(kind).1);
        assert_eq!(message, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_read_is_not_written_and_keeps_no_other_from_being_made() {
    for kind in [
        ManagedKind::Service,
        ManagedKind::ConfigMap,
        ManagedKind::ServiceMonitor,
    ] {
        let api = api_server();
        api.deny(Match::verb(Verb::List).kind(kind.name()), "cannot list");
        let world = World::on(api).await;
        world.put_server(everything());
        let error = world.reconcile().await.unwrap_err();
        let expected = format!("{} objects cannot be read: cannot list", kind.name());
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            (error.category(), error.class()),
            ("Forbidden", ErrorClass::External)
        );
        assert!(world.api.requests_of(&applies(kind)).is_empty());
        assert!(world.exists(ManagedKind::PodDisruptionBudget));
        assert_eq!(
            world.exists(ManagedKind::Deployment),
            !kind.is_needed_by_pods()
        );
    }
}

/// What was deleted elsewhere has no part in what is made here.
#[tokio::test(start_paused = true)]
async fn a_failure_is_no_success_however_much_was_done() {
    let world = failing(Failure::internal("no"), Times::Always).await;
    world.edit_spec(|spec| spec["image"]["tag"] = json!("2.0.0"));
    for _ in 0..2 {
        assert!(world.retry().await.is_err());
    }
    let deployment = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, "ghcr.io/acme/mcp:2.0.0");
}

/// A write that fails is nobody's insisting: to leave the object alone, and say that somebody fights over it, would hide
/// the failure.
#[tokio::test(start_paused = true)]
async fn drift_that_cannot_be_put_back_is_not_contested() {
    let world = failing(Failure::internal("no"), Times::Always).await;
    for _ in 0..5 {
        assert!(world.retry().await.is_err());
    }
    assert!(!world.events().contains(&"Contested".to_owned()));
    world.api.heal();
    assert!(matches!(world.retry().await, Ok(Progress::Applied(_))));
}

/// Nothing depends on an event, so it must not keep a reconcile from ending.
#[tokio::test(start_paused = true)]
async fn an_event_that_hangs_holds_up_no_reconcile() {
    let world = failing(Failure::forbidden("no"), Times::Once).await;
    let events = Match::writes().kind("Event");
    world.api.fail(events, Fault::Hang, Times::Always);
    let reconcile = world.reconcile();
    let ended = timeout(Duration::from_mins(1), reconcile).await;
    assert!(ended.is_ok());
}

#[tokio::test(start_paused = true)]
async fn reconciles_are_counted_by_what_came_of_them() {
    let world = failing(Failure::new(500, "", "not now"), Times::Once).await;
    assert!(world.scheduled().await.is_some());
    world.compare_again();
    assert!(world.scheduled().await.is_some());
    let text = world.metrics.encode(Format::Prometheus);
    for line in [
        r#"controller_runtime_reconcile_total{controller="mcpserver",result="error"} 1"#,
        r#"controller_runtime_reconcile_total{controller="mcpserver",result="success"} 1"#,
        r#"controller_runtime_reconcile_time_seconds_count{controller="mcpserver"} 2"#,
        r#"mcp_operator_reconcile_errors_total{controller="mcpserver",error_type="ApiServerError"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
