//! The whole controller when something goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcp_testkit::{Failure, Fault, Times, WatchEnd};
use tokio::time::{Instant, sleep, timeout};

use super::running::{Running, ready_reason};
use super::*;

/// A webhook that does not answer holds a reconcile for as long as a request may last.
#[tokio::test(start_paused = true)]
async fn servers_that_fail_slowly_leave_room_for_the_others() {
    let running = Running::new().await;
    for number in 0..12 {
        let name = format!("slow-{number}");
        let hanging = applies(ManagedKind::Service).name(&format!("mcp-{name}"));
        running.api.fail(hanging, Fault::Hang, Times::Always);
        running.put(&name, little());
    }
    // All of them have failed once.
    sleep(Duration::from_mins(2)).await;
    for number in 0..5 {
        let (name, began) = (format!("quick-{number}"), Instant::now());
        running.put(&name, little());
        running
            .wait_for(|api| {
                api.get("Deployment", NAMESPACE, &format!("mcp-{name}"))
                    .is_some()
            })
            .await;
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        sleep(Duration::from_secs(7)).await;
    }
    assert_eq!(
        ready_reason(&running.api, "slow-0").as_deref(),
        Some("ReplicasUnavailable")
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_until_it_is_mended() {
    let running = Running::new().await;
    running.api.fail(
        applies(ManagedKind::Service),
        Failure::internal("no"),
        Times::N(3),
    );
    running.put(NAME, little());
    running
        .wait_for(|api| api.get("Service", NAMESPACE, CHILD).is_some())
        .await;
    let tries = running.api.requests_of(&applies(ManagedKind::Service));
    assert_eq!(tries.len(), 4);
    sleep(Duration::from_secs(1)).await;
    let server = ServerKey::new(NAMESPACE, NAME);
    assert!(!running.context.backoff.has_failed(&server));
}

/// A status that goes to Failed and back within a second would be two writes and two events about nothing.
#[tokio::test(start_paused = true)]
async fn a_write_that_fails_once_is_tried_again_and_not_told() {
    let running = Running::new().await;
    running.put(NAME, little());
    running
        .wait_for(|api| api.objects_of("Deployment").len() == 1)
        .await;
    running.roll_out_all();
    running.wait_for_reason(NAME, "Ready").await;
    sleep(Duration::from_secs(5)).await;
    running.api.clear_log();
    let (services, failure) = (applies(ManagedKind::Service), Failure::internal("no"));
    running.api.fail(services, failure, Times::Once);
    running.api.delete("Service", NAMESPACE, CHILD);
    running
        .wait_for(|api| api.get("Service", NAMESPACE, CHILD).is_some())
        .await;
    sleep(Duration::from_secs(5)).await;
    let writes = running.api.writes();
    let codes: Vec<_> = writes.iter().map(|write| write.code).collect();
    assert_eq!(codes, [Some(500), Some(201)], "{writes:?}");
    assert!(writes.iter().all(|write| write.kind == "Service"));
}

/// An API server that has too much to do says so, and is asked again later: nothing is left out, and nothing made twice.
#[tokio::test(start_paused = true)]
async fn a_burst_that_is_too_much_for_the_api_server_gets_all_objects() {
    let running = Running::new().await;
    let too_many = Failure::too_many_requests(1);
    running.api.fail(Match::writes(), too_many, Times::N(50));
    let names: Vec<String> = (0..20).map(|number| format!("server-{number}")).collect();
    for name in &names {
        running.put(name, little());
    }
    running
        .wait_for(|api| api.objects_of("Deployment").len() == names.len())
        .await;
    running.roll_out_all();
    for name in &names {
        running.wait_for_reason(name, "Ready").await;
    }
    let writes = running.api.requests_of(&Match::writes());
    let refused = writes.iter().filter(|write| write.code == Some(429));
    assert_eq!(refused.count(), 50);
    let created = writes.iter().filter(|write| write.code == Some(201));
    let created = created.filter(|write| write.kind != "Event").count();
    assert_eq!(created, names.len() * 3, "each object once");
}

/// What failed again and again is tried every minute; what its user writes is another matter.
#[tokio::test(start_paused = true)]
async fn a_changed_specification_does_not_wait_for_the_backoff() {
    let running = Running::new().await;
    let (services, failure) = (applies(ManagedKind::Service), Failure::internal("no"));
    running.api.fail(services.clone(), failure, Times::Always);
    running.put(NAME, little());
    sleep(Duration::from_mins(5)).await;
    let tries_within = async |seconds| {
        running.api.clear_log();
        sleep(Duration::from_secs(seconds)).await;
        running.api.requests_of(&services).len()
    };
    assert!(tries_within(120).await <= 3);
    running.api.edit("MCPServer", NAMESPACE, NAME, |server| {
        server["spec"]["port"] = json!(9000);
    });
    assert!(tries_within(5).await >= 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_for_good_is_tried_again_after_minutes() {
    let running = Running::new().await;
    let refusal = Failure::new(422, "Invalid", "no");
    running
        .api
        .fail(applies(ManagedKind::Service), refusal, Times::Once);
    running.put(NAME, little());
    sleep(Duration::from_mins(4)).await;
    assert!(running.api.get("Service", NAMESPACE, CHILD).is_none());
    sleep(Duration::from_mins(2)).await;
    assert!(running.api.get("Service", NAMESPACE, CHILD).is_some());
}

#[tokio::test(start_paused = true)]
async fn other_plugins_have_all_servers_looked_at() {
    let (sender, snapshots) = Snapshots::channel();
    sender.publish(Arc::default());
    let build = build::Settings::default();
    let world = World::with_snapshots(api_server(), build, snapshots).await;
    let running = Running::start(world);
    let refusal = Failure::new(422, "Invalid", "no");
    running
        .api
        .fail(applies(ManagedKind::Service), refusal, Times::Once);
    running.put(NAME, little());
    running
        .wait_for(|api| ready_reason(api, NAME).is_some())
        .await;
    let began = Instant::now();
    // One that only notes what it finds, and so keeps nothing from being done.
    let audit = json!({ "source": { "builtin": "validation" }, "mode": "audit" });
    sender.publish(super::unavailable::missing(audit));
    running
        .wait_for(|api| api.get("Service", NAMESPACE, CHILD).is_some())
        .await;
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_a_deleted_server_has_left_is_tried_again_until_it_is_gone() {
    let world = World::with_settings(api_server(), monitored_elsewhere()).await;
    let running = Running::start(world);
    running.put(NAME, everything());
    running
        .wait_for(|api| api.objects_of("HorizontalPodAutoscaler").len() == 1)
        .await;
    running.api.fail(
        deletions(ManagedKind::ServiceMonitor),
        Failure::internal("no"),
        Times::N(2),
    );
    running.api.delete("MCPServer", NAMESPACE, NAME);
    running.api.collect_garbage();
    running
        .wait_for(|api| api.objects_of("ServiceMonitor").is_empty())
        .await;
    let tries = running
        .api
        .requests_of(&deletions(ManagedKind::ServiceMonitor));
    assert_eq!(tries.len(), 3);
    sleep(Duration::from_secs(1)).await;
    let server = ServerKey::new(NAMESPACE, NAME);
    assert!(!running.context.backoff.has_failed(&server));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_finishes_what_is_going_on_and_begins_nothing() {
    let running = Running::new().await;
    let slow = Fault::Delay(Duration::from_secs(5));
    running
        .api
        .fail(applies(ManagedKind::Deployment), slow, Times::Once);
    running.put(NAME, everything());
    running
        .wait_for(|api| {
            !api.requests_of(&applies(ManagedKind::Deployment))
                .is_empty()
        })
        .await;
    running.shutdown.cancel();
    running.put("late", everything());
    timeout(Duration::from_secs(10), running.task)
        .await
        .unwrap()
        .unwrap();
    let name = |kind: &str| running.api.objects_of(kind).len();
    assert_eq!(
        (name("Deployment"), name("HorizontalPodAutoscaler")),
        (1, 1)
    );
    assert!(running.api.get("Deployment", NAMESPACE, CHILD).is_some());
}

/// Otherwise a cache would freeze, and everything would look healthy.
#[tokio::test(start_paused = true)]
async fn a_watch_that_panics_is_named() {
    for kind in ["MCPServer", "Service", "Secret", "Pod"] {
        let mut running = Running::new().await;
        let lists = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&lists);
        let wanted = kind.to_owned();
        running
            .api
            .before(Match::verb(Verb::Watch).kind(kind), move |_, request| {
                counted.fetch_add(1, Ordering::SeqCst);
                assert_ne!(request.kind, wanted, "a test's panic");
            });
        running.api.end_watches(kind, WatchEnd::Closed);
        let exit = timeout(Duration::from_mins(5), running.supervisor.first_exit());
        let exit = exit.await.unwrap();
        assert_eq!(exit.to_string(), format!("the watch of {kind} panicked"));
        assert_eq!(lists.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_read_keeps_no_other_from_being_reconciled() {
    let running = Running::new().await;
    running.api.put(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "broken", "namespace": NAMESPACE }, "spec": { "replicas": "three" },
    }));
    running.put(NAME, little());
    running
        .wait_for(|api| api.get("Deployment", NAMESPACE, CHILD).is_some())
        .await;
    assert!(
        running
            .api
            .get("Deployment", NAMESPACE, "mcp-broken")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_be_read_at_last_gets_its_objects() {
    let api = api_server();
    api.deny(Match::verb(Verb::List).kind("ConfigMap"), "cannot list");
    let running = Running::start(World::on(api).await);
    running.put(NAME, everything());
    running.wait_for_reason(NAME, "Forbidden").await;
    running.api.heal();
    sleep(Duration::from_secs(15)).await;
    assert!(
        running
            .api
            .get("ConfigMap", NAMESPACE, place(ManagedKind::ConfigMap).1)
            .is_some()
    );
    assert!(running.api.get("Deployment", NAMESPACE, CHILD).is_some());
}

/// A watch that may not go on would go on later without a word, and what it missed would be missed for ever.
#[tokio::test(start_paused = true)]
async fn a_permission_that_goes_and_comes_back_needs_no_restart() {
    let running = Running::new().await;
    running.put(NAME, everything());
    running
        .wait_for(|api| api.objects_of("HorizontalPodAutoscaler").len() == 1)
        .await;
    running.roll_out_all();
    running.wait_for_reason(NAME, "Ready").await;
    let kind = "PodDisruptionBudget";
    running.api.deny(Match::any().kind(kind), "you may not");
    running.api.end_watches(kind, WatchEnd::Closed);
    running.wait_for_reason(NAME, "Forbidden").await;
    running.api.delete(kind, NAMESPACE, CHILD);
    running.api.heal();
    running
        .wait_for(|api| api.get(kind, NAMESPACE, CHILD).is_some())
        .await;
    running.wait_for_reason(NAME, "Ready").await;
}

/// A watch of definitions that ends must not leave another one that turns in circles.
#[tokio::test(start_paused = true)]
async fn a_watch_of_definitions_that_panics_is_named() {
    let mut running = Running::new().await;
    let kind = "CustomResourceDefinition";
    running
        .api
        .before(Match::verb(Verb::Watch).kind(kind), |_, request| {
            assert_eq!(request.kind, "", "a test's panic");
        });
    running.api.end_watches(kind, WatchEnd::Closed);
    let exit = timeout(Duration::from_mins(5), running.supervisor.first_exit());
    let exit = exit.await.unwrap().to_string();
    assert!(
        exit.starts_with("the watch of CustomResourceDefinition"),
        "{exit}"
    );
    sleep(Duration::from_secs(1)).await;
    let next = timeout(Duration::from_secs(1), running.supervisor.first_exit());
    let next = next.await.unwrap().to_string();
    assert!(
        next.starts_with("the watch of ") && next.ends_with(" ended"),
        "{next}"
    );
}
