//! Objects of ours that the caches do not show.

use std::time::Duration;

use mcp_operator_core::retry::Classify;
use mcp_testkit::{Fault, Times};
use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn an_object_whose_label_somebody_took_away_is_adopted() {
    for kind in ManagedKind::iter() {
        let world = World::with_server(everything()).await;
        let (namespace, name) = place(kind);
        let without = world.api.edit(kind.name(), namespace, name, |object| {
            object["metadata"]["labels"] = json!({});
        });
        let uid = without.unwrap()["metadata"]["uid"].clone();
        world.reconcile().await.unwrap();
        let object = world.api.get(kind.name(), namespace, name).unwrap();
        assert_eq!(object["metadata"]["uid"], uid, "{kind:?}");
        assert_eq!(
            object["metadata"]["labels"]["app.kubernetes.io/managed-by"],
            "mcp-operator"
        );
        assert_eq!(
            world.written()[..2],
            [kind.name(), kind.name()],
            "a conflict first"
        );
    }
}

/// An apply that names no version: it would not conflict, and take over what is there.
#[tokio::test(start_paused = true)]
async fn every_creation_says_that_there_must_be_no_object() {
    let world = World::new().await;
    world.put_server(everything());
    world.reconcile().await.unwrap();
    let applies = Match::verb(Verb::Apply).subresource("");
    for request in world.api.requests_of(&applies) {
        let version = &request.body["metadata"]["resourceVersion"];
        assert_eq!(version, "1", "{}", request.line());
        assert_eq!(request.field_manager.as_deref(), Some("mcp-operator"));
        assert_eq!(request.code, Some(201));
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_whose_answer_is_lost_is_found_by_the_retry() {
    let world = World::new().await;
    world.put_server(little());
    world.api.fail(
        applies(ManagedKind::Deployment),
        Fault::AnswerLost,
        Times::Once,
    );
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.category(), "ApiServerUnreachable");
    let made = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    assert!(matches!(world.retry().await, Ok(Progress::Applied(_))));
    let now = world.api.get("Deployment", NAMESPACE, CHILD).unwrap();
    assert_eq!(now["metadata"]["uid"], made["metadata"]["uid"]);
}

#[tokio::test(start_paused = true)]
async fn a_creation_without_an_answer_ends_and_is_reported_at_once() {
    let world = World::new().await;
    world.put_server(little());
    let hanging = applies(ManagedKind::Deployment);
    world.api.fail(hanging, Fault::Hang, Times::Once);
    let began = Instant::now();
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 15);
    let expected = "apply Deployment tools/mcp-weather: no answer within 15 s";
    assert_eq!(error.to_string(), expected);
    assert_eq!(world.ready(), ("Timeout".into(), expected.into()));
    assert!(world.exists(ManagedKind::Service));
}

#[tokio::test(start_paused = true)]
async fn an_update_without_an_answer_ends() {
    let world = World::with_server(little()).await;
    world.edit_spec(|spec| spec["port"] = json!(9000));
    world
        .api
        .fail(applies(ManagedKind::Service), Fault::Hang, Times::Once);
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.category(), "Timeout");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_is_no_failure() {
    let world = World::new().await;
    world.put_server(little());
    let slow = Fault::Delay(Duration::from_secs(14));
    world
        .api
        .fail(applies(ManagedKind::Deployment), slow, Times::Once);
    assert!(matches!(
        world.reconcile().await,
        Ok(Progress::DeploymentCreated)
    ));
}
