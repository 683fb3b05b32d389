//! A server that is deleted while it is reconciled.

use mcp_testkit::{Failure, Times};

use super::*;

/// A world whose server and its objects are gone, and the server as a late informer still shows it.
async fn deleted() -> (World, McpServer) {
    let world = World::with_server(everything()).await;
    let stale = world.server().await;
    world.api.delete("MCPServer", NAMESPACE, NAME);
    world.api.collect_garbage();
    world.api.idle().await;
    world.api.clear_log();
    (world, stale)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_for_a_server_that_is_gone() {
    let (world, stale) = deleted().await;
    let result = world.attempt_with(&stale, false).await;
    assert!(matches!(result, Ok(Progress::OwnerDeleted)), "{result:?}");
    assert_eq!(world.written(), [""; 0]);
    assert_eq!(world.kinds(), []);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_in_the_name_of_a_server_whose_namesake_is_there() {
    let (world, stale) = deleted().await;
    world.put_server(everything());
    world.api.idle().await;
    world.api.clear_log();
    let result = world.attempt_with(&stale, false).await;
    assert!(matches!(result, Ok(Progress::OwnerDeleted)), "{result:?}");
    assert_eq!(world.written(), [""; 0]);
    assert!(matches!(
        world.reconcile().await,
        Ok(Progress::DeploymentCreated)
    ));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_for_a_server_that_is_being_deleted() {
    let world = World::with_server(little()).await;
    let (stale, context) = (world.server().await, world.context());
    let inputs_hash = context.inputs_hash(&stale, &context.snapshots.current());
    assert!(context.noop_cache.is_noop(&stale, inputs_hash));
    world.begin_deletion::<McpServer>(NAME).await;
    world.api.delete("Service", NAMESPACE, CHILD);
    world.api.idle().await;
    world.api.clear_log();
    let result = world.attempt_with(&stale, false).await;
    assert!(matches!(result, Ok(Progress::OwnerDeleted)), "{result:?}");
    assert_eq!(world.written(), [""; 0]);
    // When the informer shows it too, not even that is asked.
    world.api.clear_log();
    assert_eq!(world.scheduled().await, None);
    assert_eq!(world.api.requests(), []);
    assert!(!context.noop_cache.is_noop(&stale, inputs_hash));
}

/// Whether the server is there is asked for each object that is to be made, and only for those of a server that was
/// reconciled before.
#[tokio::test(start_paused = true)]
async fn a_new_server_is_not_asked_for() {
    let world = World::new().await;
    world.put_server(little());
    world.api.idle().await;
    world.api.clear_log();
    world.reconcile().await.unwrap();
    let asked = Match::verb(Verb::Get).kind("MCPServer");
    assert!(world.api.requests_of(&asked).is_empty());
    world.reconcile().await.unwrap();
    world.api.delete("Service", NAMESPACE, CHILD);
    world.reconcile().await.unwrap();
    let asked = world.api.requests_of(&asked);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].metadata_only);
    assert!(world.exists(ManagedKind::Service));
}

#[tokio::test(start_paused = true)]
async fn while_nobody_can_say_whether_a_server_is_there_nothing_is_made_for_it() {
    let world = World::with_server(little()).await;
    world.api.delete("Service", NAMESPACE, CHILD);
    let asked = Match::verb(Verb::Get).kind("MCPServer");
    world.api.fail(asked, Failure::internal("no"), Times::Once);
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.to_string(), "get MCPServer tools/weather: no");
    assert!(!world.exists(ManagedKind::Service));
    world.retry().await.unwrap();
    assert!(world.exists(ManagedKind::Service));
}
