//! What others change in our objects.

use std::time::Duration;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use mcp_testkit::{Fault, Times};
use tokio::time::{Instant, advance};

use super::*;
use crate::fight_detector::WINDOW;
use crate::requeue::Requeue;

async fn drift(kind: ManagedKind) -> World {
    let world = World::with_server(everything()).await;
    drift_in(&world, kind);
    world
}

fn drift_in(world: &World, kind: ManagedKind) {
    let (namespace, name) = place(kind);
    let edited = world
        .api
        .edit(kind.name(), namespace, name, rename_instance);
    edited.unwrap();
}

fn instance(world: &World, kind: ManagedKind) -> String {
    let (namespace, name) = place(kind);
    let object = world.api.get(kind.name(), namespace, name).unwrap();
    let label = &object["metadata"]["labels"]["app.kubernetes.io/instance"];
    label.as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn drift_of_every_kind_is_put_back_and_told() {
    for kind in ManagedKind::iter() {
        let world = drift(kind).await;
        assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
        assert_eq!(world.written(), [kind.name()]);
        assert_eq!(instance(&world, kind), NAME);
        let note = world.note("PutBack");
        assert!(
            note.starts_with(&format!("{} {}", kind.name(), place(kind).1)),
            "{note}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_specification_is_no_drift() {
    let world = World::with_server(everything()).await;
    world.edit_spec(|spec| spec["config"]["city"] = json!("Thun"));
    world.reconcile().await.unwrap();
    assert!(!world.events().contains(&"PutBack".to_owned()));
}

/// An object that was put back as often as it may be, and has been changed once more.
async fn contested_by(kind: ManagedKind, change: fn(&mut Value)) -> World {
    let world = World::with_server(little()).await;
    let change = || {
        world
            .api
            .edit(kind.name(), NAMESPACE, CHILD, change)
            .unwrap()
    };
    for _ in 0..3 {
        change();
        assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    }
    change();
    world.api.clear_log();
    world
}

async fn contested() -> World {
    contested_by(ManagedKind::Service, rename_instance).await
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_fought_over_is_left_alone_and_that_is_told_once() {
    let world = contested().await;
    assert!(matches!(world.reconcile().await, Ok(Progress::Contested)));
    assert_eq!(world.written(), [""; 0]);
    assert!(matches!(world.reconcile().await, Ok(Progress::Contested)));
    assert_eq!(world.api.requests(), [], "neither a write nor an event");
    assert_eq!(instance(&world, ManagedKind::Service), "changed");
    let told = world.events();
    assert_eq!(
        told.iter().filter(|reason| *reason == "Contested").count(),
        1
    );
    let note = world.note("Contested");
    let expected = "Service mcp-weather is changed again and again by testkit, in .metadata.labels.app.kubernetes.io/instance; the operator leaves it so for 60 s at a time";
    assert_eq!(note, expected);
    assert_eq!(world.ready().0, "Ready", "the server serves all the same");
}

#[tokio::test(start_paused = true)]
async fn what_was_contested_is_put_back_after_a_while() {
    let world = contested().await;
    let requeue = world.scheduled().await;
    assert_eq!(requeue, Some(Requeue::look_again(WINDOW)));
    advance(WINDOW + Duration::from_secs(1)).await;
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert_eq!(instance(&world, ManagedKind::Service), NAME);
}

#[tokio::test(start_paused = true)]
async fn what_is_contested_keeps_no_other_object_from_being_applied() {
    let world = contested().await;
    world.edit_spec(|spec| spec["image"]["tag"] = json!("2.0.0"));
    // The Service's manifest is the same: it is still contested.
    assert!(matches!(world.reconcile().await, Ok(Progress::Contested)));
    assert_eq!(world.written(), ["Deployment", "status"]);
}

/// Who it was is worth asking for, and nothing to wait for.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_name_of_who_insists() {
    let world = contested().await;
    let asking = Match::verb(Verb::Get).kind("Service");
    world.api.fail(asking, Fault::Hang, Times::Once);
    let began = Instant::now();
    assert!(matches!(world.reconcile().await, Ok(Progress::Contested)));
    assert_eq!(began.elapsed().as_secs(), 15);
    assert!(
        world
            .note("Contested")
            .contains("again and again by somebody, in")
    );
}

#[tokio::test(start_paused = true)]
async fn who_insists_is_neither_ourselves_nor_who_writes_the_status() {
    let remove_instance = |object: &mut Value| {
        let labels = object["metadata"]["labels"].as_object_mut().unwrap();
        labels.remove("app.kubernetes.io/instance");
    };
    // Who only removes a field leaves no trace.
    let world = contested_by(ManagedKind::Service, remove_instance).await;
    world.reconcile().await.unwrap();
    assert!(
        world
            .note("Contested")
            .contains("again and again by somebody, in")
    );

    let world = contested_by(ManagedKind::Deployment, rename_instance).await;
    let resource = ManagedKind::Deployment.api_resource();
    let api: Api<DynamicObject> = Api::namespaced_with(world.api.client(), NAMESPACE, &resource);
    let status =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "status": { "collisionCount": 1 } });
    let controller = PatchParams::apply("kube-controller-manager").force();
    api.patch_status(CHILD, &controller, &Patch::Apply(&status))
        .await
        .unwrap();
    world.reconcile().await.unwrap();
    assert!(
        world
            .note("Contested")
            .contains("again and again by testkit, in")
    );
}

/// After a restart, what was found to be right is known to have been so.
#[tokio::test(start_paused = true)]
async fn drift_after_a_restart_is_told_too() {
    let before = World::with_server(little()).await;
    let world = World::on(before.api.clone()).await;
    world.reconcile().await.unwrap();
    assert_eq!(world.written(), [""; 0]);
    drift_in(&world, ManagedKind::Service);
    world.reconcile().await.unwrap();
    assert!(world.events().contains(&"PutBack".to_owned()));
}
