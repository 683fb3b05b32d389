//! What keeps a reconcile from comparing everything, and what a watch that breaks loses.

use std::sync::Arc;
use std::time::Duration;

use mcp_testkit::WatchEnd;
use tokio::time::{advance, sleep};

use super::*;

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_compared() {
    let world = World::with_server(everything()).await;
    for _ in 0..2 {
        assert!(matches!(world.reconcile().await, Ok(Progress::Unchanged)));
    }
    assert_eq!(world.api.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn whatever_decides_about_the_objects_has_them_compared() {
    let (sender, snapshots) = Snapshots::channel();
    sender.publish(Arc::default());
    let build = build::Settings::default();
    let world = World::with_snapshots(api_server(), build, snapshots).await;
    world.put_server(everything());
    world.converge().await;
    let is_compared = async |what: &str| {
        let progress = world.reconcile().await.unwrap();
        assert!(
            matches!(progress, Progress::Applied(_)),
            "{what}: {progress:?}"
        );
        // If something was written, the next one sees it.
        world.reconcile().await.unwrap();
        let progress = world.reconcile().await.unwrap();
        assert!(
            matches!(progress, Progress::Unchanged),
            "{what}: {progress:?}"
        );
    };
    world.edit_spec(|spec| spec["image"]["tag"] = json!("2.0.0"));
    is_compared("specification").await;
    world.api.edit("MCPServer", NAMESPACE, NAME, |server| {
        server["metadata"]["labels"] = json!({ "team": "platform" });
    });
    is_compared("label").await;
    world.api.edit("Service", NAMESPACE, CHILD, |service| {
        service["metadata"]["annotations"] = json!({ "note": "theirs" });
    });
    is_compared("object").await;
    world
        .api
        .put(namespace(NAMESPACE, &[("stage", "production")]));
    is_compared("namespace").await;
    let mut secret = mcp_testkit::objects::secret(NAMESPACE, "any", json!({ "token": "AAAA" }));
    secret["metadata"]["labels"] = json!({ "mcp.litellm.ai/server": NAME });
    world.api.put(secret);
    is_compared("Secret").await;
    uninstall(&world.api, ManagedKind::ServiceMonitor);
    is_compared("availability").await;
    // One that only notes what it finds, and so keeps nothing from being done.
    let audit = json!({ "source": { "builtin": "validation" }, "mode": "audit" });
    sender.publish(super::unavailable::missing(audit));
    is_compared("plugins").await;
}

#[tokio::test(start_paused = true)]
async fn everything_is_compared_now_and_then() {
    let world = World::with_server(little()).await;
    advance(Duration::from_mins(29)).await;
    assert!(matches!(world.reconcile().await, Ok(Progress::Unchanged)));
    advance(Duration::from_mins(2)).await;
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
}

/// A reconcile that wrote something is not the last word: somebody may have written at the same time.
#[tokio::test(start_paused = true)]
async fn an_object_that_changes_in_the_middle_of_a_reconcile_is_compared_again() {
    let world = World::with_server(little()).await;
    world.edit_spec(|spec| spec["image"]["tag"] = json!("2.0.0"));
    world
        .api
        .before(applies(ManagedKind::Deployment), |api, _| {
            api.edit("Service", NAMESPACE, CHILD, rename_instance);
        });
    world.reconcile().await.unwrap();
    world.written();
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert_eq!(world.written(), ["Service"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_too_old_loses_nothing() {
    let world = World::with_server(little()).await;
    world.api.end_watches("Service", WatchEnd::Closed);
    // While nobody watches.
    world.api.edit("Service", NAMESPACE, CHILD, rename_instance);
    world.api.compact();
    sleep(Duration::from_mins(2)).await;
    let lists = Match::verb(Verb::List).kind("Service");
    assert!(!world.api.requests_of(&lists).is_empty(), "it lists again");
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert!(world.written().contains(&"Service".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_shows_what_was_deleted_meanwhile() {
    for how in [WatchEnd::Expired, WatchEnd::Reset] {
        let world = World::with_server(little()).await;
        world.api.end_watches("Service", how);
        world.api.delete("Service", NAMESPACE, CHILD);
        world.api.compact();
        sleep(Duration::from_mins(2)).await;
        assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
        assert!(world.exists(ManagedKind::Service), "{how:?}");
    }
}
