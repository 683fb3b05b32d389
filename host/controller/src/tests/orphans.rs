//! What servers that are gone have left in other namespaces.

use mcp_operator_core::retry::Classify;
use mcp_testkit::{Failure, Times};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::orphans::delete_orphans;

/// A server whose ServiceMonitor is in another namespace.
async fn monitored() -> World {
    let world = World::with_settings(api_server(), monitored_elsewhere()).await;
    world.put_server(everything());
    world.converge().await;
    assert_eq!(monitors(&world), 1);
    world
}

fn monitors(world: &World) -> usize {
    world.api.objects_of("ServiceMonitor").len()
}

/// Deletes the orphans of a server that is not there.
async fn delete(world: &World) -> Result<(), ReconcileError> {
    world.api.idle().await;
    delete_orphans(world.context(), &ServerKey::new(NAMESPACE, NAME), None).await
}

fn look_ups() -> Match {
    Match::verb(Verb::Get).kind("MCPServer")
}

#[tokio::test(start_paused = true)]
async fn what_a_server_that_is_gone_has_left_is_deleted() {
    let world = monitored().await;
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world.api.collect_garbage();
    assert_eq!(monitors(&world), 1, "no owner reference reaches it");
    delete(&world).await.unwrap();
    assert_eq!(monitors(&world), 0);
    assert_eq!(world.written(), ["delete servicemonitor"]);
}

/// The API server that lets no orphan be deleted lets no lease be renewed either: the same replica leads again.
#[tokio::test(start_paused = true)]
async fn what_one_term_could_not_delete_the_next_one_does() {
    let world = monitored().await;
    world.api.fail(
        deletions(ManagedKind::ServiceMonitor),
        Failure::internal("no"),
        Times::Always,
    );
    let tried = || {
        let deletions = deletions(ManagedKind::ServiceMonitor);
        !world.api.requests_of(&deletions).is_empty()
    };
    let term = |shutdown: CancellationToken| {
        let controller = &world.controller;
        async move {
            controller.begin_term();
            controller.run(shutdown).await;
        }
    };
    let first = CancellationToken::new();
    let lost = async {
        world.api.delete("MCPServer", NAMESPACE, NAME);
        world.api.collect_garbage();
        world.api.wait_for(|_| tried()).await.unwrap();
        first.cancel();
    };
    tokio::join!(term(first.clone()), lost);
    assert_eq!(monitors(&world), 1);
    world.api.heal();
    let second = CancellationToken::new();
    let done = async {
        for _ in 0..5 {
            if world.api.wait_for(|_| monitors(&world) == 0).await.is_ok() {
                break;
            }
        }
        second.cancel();
    };
    tokio::join!(term(second.clone()), done);
    assert_eq!(monitors(&world), 0);
}

/// The informer is late: the server is there.
#[tokio::test(start_paused = true)]
async fn what_is_in_use_is_kept() {
    let world = monitored().await;
    delete(&world).await.unwrap();
    assert_eq!(monitors(&world), 1);
    assert_eq!(world.api.requests_of(&look_ups()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_about_a_server_whose_objects_are_its_own() {
    let world = monitored().await;
    world.reconcile().await.unwrap();
    assert_eq!(world.api.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn while_nobody_can_say_whether_a_server_is_there_nothing_is_deleted() {
    let world = monitored().await;
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world
        .api
        .fail(look_ups(), Failure::internal("no"), Times::Once);
    let error = delete(&world).await.unwrap_err();
    assert_eq!(error.category(), "ApiServerError");
    assert_eq!(monitors(&world), 1);
    delete(&world).await.unwrap();
    assert_eq!(monitors(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_namesake_has_left_makes_room() {
    let world = monitored().await;
    let uid = |world: &World| {
        let monitors = world.api.objects_of("ServiceMonitor");
        monitors[0]["metadata"]["uid"].clone()
    };
    let before = uid(&world);
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world.api.collect_garbage();
    world.put_server(everything());
    let first = world.reconcile().await;
    assert_eq!(first.unwrap_err().category(), "LeftBehind");
    assert_eq!(monitors(&world), 0, "deleted in the same reconcile");
    world.retry().await.unwrap();
    assert_eq!(monitors(&world), 1);
    assert_ne!(uid(&world), before);
}

#[tokio::test(start_paused = true)]
async fn an_orphan_that_cannot_be_deleted_fails_the_reconcile_and_keeps_no_object_from_being_made()
{
    let world = monitored().await;
    let mut orphan = world.api.objects_of("ServiceMonitor").remove(0);
    orphan["metadata"]["name"] = json!("left");
    orphan["metadata"]["annotations"] = json!({ "mcp.litellm.ai/server-uid": "gone" });
    world.api.put(orphan);
    world
        .api
        .deny(deletions(ManagedKind::ServiceMonitor), "you may not");
    world.edit_spec(|spec| spec["port"] = json!(9000));
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "delete ServiceMonitor monitoring/left: you may not"
    );
    let (_, reason, _) = world
        .condition(conditions::SERVICE_MONITOR_CREATED)
        .unwrap();
    assert_eq!(reason, "Forbidden");
    assert!(world.written().contains(&"Service".to_owned()));
    world.api.heal();
    world.retry().await.unwrap();
    assert_eq!(monitors(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn an_orphan_that_somebody_replaced_meanwhile_is_not_deleted() {
    let world = monitored().await;
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world
        .api
        .before(deletions(ManagedKind::ServiceMonitor), |api, request| {
            let mut object = api
                .get(&request.kind, &request.namespace, &request.name)
                .unwrap();
            api.delete(&request.kind, &request.namespace, &request.name);
            object["metadata"] = json!({ "namespace": request.namespace, "name": request.name });
            api.put(object);
        });
    assert_eq!(delete(&world).await.unwrap_err().category(), "Conflict");
    assert_eq!(monitors(&world), 1);
}

/// What is in the server's own namespace is the garbage collector's, and what names another server is that one's.
#[tokio::test(start_paused = true)]
async fn only_what_names_the_server_from_another_namespace_is_an_orphan() {
    let world = World::new().await;
    let monitor = |namespace: &str, server: &str| {
        world.api.put(json!({
            "apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
            "metadata": {
                "namespace": namespace, "name": server,
                "labels": { "app.kubernetes.io/managed-by": "mcp-operator", "mcp.litellm.ai/server": server, "mcp.litellm.ai/server-namespace": NAMESPACE },
                "annotations": { "mcp.litellm.ai/server-uid": "gone" },
            },
        }));
    };
    for (namespace, server) in [
        (NAMESPACE, NAME),
        ("monitoring", "other"),
        ("monitoring", NAME),
    ] {
        monitor(namespace, server);
    }
    delete(&world).await.unwrap();
    assert_eq!(monitors(&world), 2);
    assert!(
        world
            .api
            .get("ServiceMonitor", "monitoring", NAME)
            .is_none()
    );
}
