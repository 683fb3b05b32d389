//! Who decides about the number of pods.

use mcp_operator_api::names::field_managers;
use mcp_testkit::{Failure, Times};

use super::*;

fn scaled(mut spec: Value) -> Value {
    spec["autoscaling"] = json!({ "minReplicas": 2, "maxReplicas": 5 });
    spec
}

fn replicas(world: &World) -> Value {
    world.api.get("Deployment", NAMESPACE, CHILD).unwrap()["spec"]["replicas"].clone()
}

fn hand_overs() -> Match {
    applies(ManagedKind::Deployment).manager(field_managers::AUTOSCALING)
}

/// Left out, the number would become the default of the API server, one pod, until the autoscaler has measured.
#[tokio::test(start_paused = true)]
async fn an_autoscaler_takes_the_pods_over_as_they_are() {
    let world = World::with_server(little()).await;
    world.edit_spec(|spec| {
        spec["replicas"] = json!(4);
    });
    world.reconcile().await.unwrap();
    assert_eq!(replicas(&world), 4);
    world.api.clear_log();
    world.edit_spec(|spec| *spec = scaled(spec.take()));
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert_eq!(replicas(&world), 4);
    let handed_over = world.api.requests_of(&hand_overs());
    assert_eq!(handed_over.len(), 1);
    assert_eq!(handed_over[0].body["spec"], json!({ "replicas": 4 }));
    assert!(handed_over[0].force);
    assert!(world.exists(ManagedKind::HorizontalPodAutoscaler));
    // What the autoscaler decides stays.
    world
        .api
        .edit("Deployment", NAMESPACE, CHILD, |deployment| {
            deployment["spec"]["replicas"] = json!(5);
        });
    world.api.clear_log();
    world.reconcile().await.unwrap();
    assert!(!world.written().contains(&"Deployment".to_owned()));
    assert_eq!(replicas(&world), 5);
}

#[tokio::test(start_paused = true)]
async fn without_a_hand_over_the_number_is_not_given_up() {
    let world = World::with_server(little()).await;
    let before = replicas(&world);
    let failure = Failure::internal("no");
    world.api.fail(hand_overs(), failure, Times::Once);
    world.edit_spec(|spec| *spec = scaled(spec.take()));
    let error = world.reconcile().await.unwrap_err();
    let expected = "hand over replicas of Deployment tools/mcp-weather: no";
    assert_eq!(error.to_string(), expected);
    assert_eq!(replicas(&world), before);
    assert_eq!(
        world
            .api
            .requests_of(&applies(ManagedKind::Deployment))
            .len(),
        1
    );
    assert!(matches!(world.retry().await, Ok(Progress::Applied(_))));
    assert_eq!(replicas(&world), before);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_made_with_an_autoscaler_hands_nothing_over() {
    let world = World::new().await;
    world.put_server(scaled(little()));
    world.reconcile().await.unwrap();
    world.reconcile().await.unwrap();
    assert!(world.api.requests_of(&hand_overs()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_an_autoscaler_the_specification_decides_again() {
    let world = World::with_server(scaled(little())).await;
    world.edit_spec(|spec| {
        spec["autoscaling"] = Value::Null;
        spec["replicas"] = json!(3);
    });
    world.reconcile().await.unwrap();
    assert_eq!(replicas(&world), 3);
    assert!(!world.exists(ManagedKind::HorizontalPodAutoscaler));
}
