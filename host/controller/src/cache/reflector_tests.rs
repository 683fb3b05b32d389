use futures::FutureExt;
use serde_json::json;

use super::*;

fn reflector(kind: ManagedKind) -> Reflector {
    Reflector {
        kind,
        objects: Arc::default(),
        history: Arc::default(),
        owners: kind.can_be_several().then(Arc::default),
        queue: WorkQueue::default(),
        is_server: Arc::new(|server, uid| server.name == uid && uid != "nobody"),
        availability: watch::channel(Availability::Starting).0,
    }
}

fn object(server: &str, version: u64, more: &serde_json::Value) -> DynamicObject {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Any",
        "metadata": {
            "name": format!("mcp-{server}"), "namespace": "tools", "resourceVersion": version.to_string(),
            "ownerReferences": [{ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "name": server, "uid": server, "controller": true }],
        },
    });
    for (name, member) in more.as_object().unwrap() {
        object[name] = member.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn spec(server: &str, version: u64, port: u16) -> DynamicObject {
    object(server, version, &json!({ "spec": { "port": port } }))
}

/// The names of the servers that were queued since the last call.
async fn queued(reflector: &Reflector) -> Vec<String> {
    tokio::time::advance(DEBOUNCE).await;
    let mut names = Vec::new();
    while let Some(server) = reflector.queue.next().now_or_never() {
        names.push(server.name);
    }
    names.sort();
    names
}

fn relist(reflector: &Reflector, objects: &[DynamicObject]) {
    reflector.apply_event(Event::Init);
    for object in objects {
        reflector.apply_event(Event::InitApply(object.clone()));
    }
}

/// In a burst, the steps of the first rollouts do not hold up the objects of the last server.
#[tokio::test(start_paused = true)]
async fn what_objects_say_gives_way_to_what_users_change() {
    let reflector = reflector(ManagedKind::Service);
    let next = async || reflector.queue.next().await.name;
    for server in ["a", "b"] {
        reflector.apply_event(Event::Apply(spec(server, 1, 80)));
    }
    tokio::time::advance(DEBOUNCE).await;
    assert_eq!(next().await, "a");
    reflector.queue.add(ServerKey::new("tools", "new"));
    assert_eq!([next().await, next().await], ["new", "b"]);
}

/// A reconcile before the new list is complete would see the old one, and none would follow.
#[tokio::test(start_paused = true)]
async fn a_list_queues_the_owners_of_what_changed_came_or_went_when_it_is_complete() {
    let reflector = reflector(ManagedKind::Service);
    reflector.set_availability(Availability::Listed);
    for server in ["same", "changed", "gone"] {
        reflector.apply_event(Event::Apply(spec(server, 1, 80)));
    }
    assert_eq!(queued(&reflector).await, ["changed", "gone", "same"]);
    relist(
        &reflector,
        &[
            spec("same", 1, 80),
            spec("changed", 5, 81),
            spec("new", 6, 80),
        ],
    );
    assert_eq!(
        queued(&reflector).await,
        [""; 0],
        "not before it is complete"
    );
    reflector.apply_event(Event::InitDone);
    assert_eq!(queued(&reflector).await, ["changed", "gone", "new"]);
    assert!(reflector.objects.get("tools", "mcp-gone").is_none());
    assert_eq!(*reflector.availability.borrow(), Availability::Listed);
}

#[tokio::test(start_paused = true)]
async fn our_own_writes_queue_nothing_in_whatever_order_their_events_come() {
    let reflector = reflector(ManagedKind::Service);
    reflector.set_availability(Availability::Listed);
    reflector.objects.put(&spec("a", 2, 80));
    reflector.apply_event(Event::Apply(spec("a", 1, 79)));
    reflector.apply_event(Event::Apply(spec("a", 2, 80)));
    // The answer after its event.
    reflector.apply_event(Event::Apply(spec("a", 4, 81)));
    assert_eq!(queued(&reflector).await, ["a"]);
    reflector.objects.put(&spec("a", 3, 82));
    assert_eq!(
        reflector.objects.get("tools", "mcp-a"),
        Some(spec("a", 4, 81))
    );
    relist(&reflector, &[spec("a", 4, 81)]);
    reflector.apply_event(Event::InitDone);
    assert_eq!(queued(&reflector).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_nothing_reads_queues_nothing() {
    let reflector = reflector(ManagedKind::PodDisruptionBudget);
    let budget = |version, healthy: u16| {
        object(
            "a",
            version,
            &json!({ "spec": { "minAvailable": 1 }, "status": { "currentHealthy": healthy } }),
        )
    };
    reflector.apply_event(Event::Apply(budget(1, 0)));
    reflector.apply_event(Event::Apply(budget(2, 1)));
    assert_eq!(queued(&reflector).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_due_at_once_and_everything_else_is_debounced() {
    let reflector = reflector(ManagedKind::Service);
    reflector.apply_event(Event::Apply(spec("a", 1, 80)));
    reflector.apply_event(Event::Apply(spec("a", 2, 81)));
    assert!(reflector.queue.next().now_or_never().is_none());
    assert_eq!(queued(&reflector).await, ["a"], "once for both");
    reflector.apply_event(Event::Delete(spec("a", 3, 81)));
    let next = reflector.queue.next().now_or_never();
    assert_eq!(next, Some(ServerKey::new("tools", "a")));
}

/// All servers that exist are reconciled anyway; those that are gone would never be.
#[tokio::test(start_paused = true)]
async fn a_first_list_queues_the_owners_of_objects_in_other_namespaces() {
    let reflector = reflector(ManagedKind::ServiceMonitor);
    let monitor = |server: &str, version: u64| -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Any",
            "metadata": {
                "name": format!("mcp.tools.{server}"), "namespace": "monitoring", "resourceVersion": version.to_string(),
                "labels": { "mcp.litellm.ai/server": server, "mcp.litellm.ai/server-namespace": "tools" },
                "annotations": { "mcp.litellm.ai/server-uid": server },
            },
        }))
        .unwrap()
    };
    relist(&reflector, &[monitor("a", 1), spec("b", 1, 80)]);
    reflector.apply_event(Event::InitDone);
    assert_eq!(queued(&reflector).await, ["a"]);
    let server = ServerKey::new("tools", "a");
    let key = ("monitoring".to_owned(), "mcp.tools.a".to_owned());
    let owners = reflector.owners.clone().unwrap();
    assert!(owners.of(&server).contains(&key));
    reflector.apply_event(Event::Delete(monitor("a", 2)));
    assert_eq!(queued(&reflector).await, ["a"]);
    assert!(owners.of(&server).is_empty());
}

/// What is remembered of objects that were deleted while the watch was down would be kept for ever.
#[tokio::test(start_paused = true)]
async fn nothing_is_remembered_of_deleted_objects() {
    let reflector = reflector(ManagedKind::ExternalSecret);
    let manifest = mcp_operator_core::manifest::Manifest {
        kind: ManagedKind::ExternalSecret,
        object: json!({ "metadata": { "name": "mcp-a", "namespace": "tools" } }),
    };
    for end in [Event::Delete(spec("a", 2, 80)), Event::InitDone] {
        reflector.apply_event(Event::Apply(spec("a", 1, 80)));
        reflector.history.record_clean(&manifest);
        let owners = reflector.owners.clone().unwrap();
        let server = ServerKey::new("tools", "a");
        assert_eq!(owners.of(&server).len(), 1);
        if matches!(end, Event::InitDone) {
            relist(&reflector, &[]);
        }
        reflector.apply_event(end);
        assert!(!reflector.history.was_clean(&manifest));
        assert!(owners.of(&server).is_empty());
    }
}

/// Objects with our label that are no server's take next to no memory, and neither do those that only say that they are, or
/// that have another name than the one object of that kind.
#[tokio::test(start_paused = true)]
async fn of_foreign_objects_next_to_nothing_is_kept() {
    for kind in [ManagedKind::NetworkPolicy, ManagedKind::ConfigMap] {
        next_to_nothing_is_kept(kind);
    }
}

/// Of a ConfigMap, which can be one of several, only a digest is kept.
fn next_to_nothing_is_kept(kind: ManagedKind) {
    let reflector = reflector(kind);
    let text = "x".repeat(100_000);
    let large = json!({ "data": { "a": text.clone() } });
    let mut foreign = object("a", 1, &large);
    foreign.metadata.owner_references = None;
    foreign.metadata.name = Some("foreign".into());
    foreign.metadata.annotations = Some([("note".to_owned(), text.clone())].into());
    foreign.metadata.labels = Some([("note".to_owned(), text.clone())].into());
    let nobodys = object("nobody", 1, &large);
    let mut second = object("a", 1, &large);
    second.metadata.name = Some("second".into());
    let ours = object("a", 1, &large);
    relist(&reflector, &[foreign.clone(), ours.clone()]);
    reflector.apply_event(Event::InitDone);
    for object in [&nobodys, &second] {
        reflector.apply_event(Event::Apply(object.clone()));
    }
    for object in [&foreign, &nobodys, &second] {
        let name = object.metadata.name.as_deref().unwrap();
        let kept = reflector.objects.get("tools", name).unwrap();
        assert!(serde_json::to_vec(&kept).unwrap().len() < 1000, "{name}");
        assert_eq!(Owner::of(&kept), Owner::of(object));
    }
    let kept = reflector.objects.get("tools", "mcp-a");
    if kind == ManagedKind::ConfigMap {
        assert!(serde_json::to_vec(&kept).unwrap().len() < 1000);
    } else {
        assert_eq!(kept, Some(ours));
    }
}
