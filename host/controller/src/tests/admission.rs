//! What admission webhooks of others do to our objects.

use super::*;

async fn overruled() -> World {
    let world = World::new().await;
    world.api.admit("Service", rename_instance);
    world.put_server(little());
    world.converge().await;
    world
}

#[tokio::test(start_paused = true)]
async fn what_admission_changes_is_told_once_and_not_written_again() {
    let world = overruled().await;
    for _ in 0..3 {
        world.compare_again();
        assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    }
    assert_eq!(world.written(), [""; 0]);
    let told = world.events();
    assert_eq!(
        told.iter().filter(|reason| *reason == "Overruled").count(),
        1
    );
    let note = world.note("Overruled");
    assert!(
        note.ends_with("does not insist on .metadata.labels.app.kubernetes.io/instance"),
        "{note}"
    );
}

/// What else is in the object is still ours.
#[tokio::test(start_paused = true)]
async fn an_object_that_admission_changes_follows_its_specification() {
    let world = overruled().await;
    world.edit_spec(|spec| spec["port"] = json!(9000));
    world.reconcile().await.unwrap();
    let service = world.api.get("Service", NAMESPACE, CHILD).unwrap();
    assert_eq!(service["spec"]["ports"][0]["port"], 9000);
    assert_eq!(
        service["metadata"]["labels"]["app.kubernetes.io/instance"],
        "changed"
    );
}

#[tokio::test(start_paused = true)]
async fn what_admission_refuses_is_said_in_its_words() {
    let world = World::new().await;
    world
        .api
        .validate("Deployment", |_| Err("images must be signed".into()));
    world.put_server(little());
    let error = world.reconcile().await.unwrap_err();
    let expected = "apply Deployment tools/mcp-weather: admission webhook \"testkit\" denied the request: images must be signed";
    assert_eq!(error.to_string(), expected);
    assert_eq!(world.ready(), ("BadRequest".into(), expected.into()));
    assert_eq!(world.events(), ["BadRequest"]);
}
