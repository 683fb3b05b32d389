use serde_json::json;

use super::*;

fn follower(kind: ManagedKind) -> (Follower, mpsc::UnboundedReceiver<ServerRef>) {
    let (soon, woken) = mpsc::unbounded_channel();
    let follower = Follower {
        kind,
        objects: Arc::default(),
        written: Arc::default(),
        owned: kind.can_be_several().then(Arc::default),
        owners: Owners {
            progress: soon.clone(),
            at_once: soon.clone(),
            soon,
        },
        tell: watch::channel(State::Starting).0,
    };
    (follower, woken)
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

fn woken(receiver: &mut mpsc::UnboundedReceiver<ServerRef>) -> Vec<String> {
    let mut names: Vec<String> =
        std::iter::from_fn(|| receiver.try_recv().ok().map(|server| server.name)).collect();
    names.sort();
    names
}

fn relist(follower: &Follower, objects: &[DynamicObject]) {
    follower.take(Event::Init);
    for object in objects {
        follower.take(Event::InitApply(object.clone()));
    }
}

/// A pass that is woken before the new list is complete looks at the old one, and nothing wakes it again.
#[test]
fn a_list_wakes_when_it_is_complete_who_changed_came_or_went() {
    let (follower, mut receiver) = follower(ManagedKind::Service);
    follower.turn(State::Listed);
    for server in ["same", "changed", "gone"] {
        follower.take(Event::Apply(spec(server, 1, 80)));
    }
    assert_eq!(woken(&mut receiver), ["changed", "gone", "same"]);
    relist(
        &follower,
        &[
            spec("same", 1, 80),
            spec("changed", 5, 81),
            spec("new", 6, 80),
        ],
    );
    assert_eq!(woken(&mut receiver), [""; 0], "not before it is complete");
    follower.take(Event::InitDone);
    assert_eq!(woken(&mut receiver), ["changed", "gone", "new"]);
    assert!(follower.objects.get("tools", "mcp-gone").is_none());
    assert_eq!(*follower.tell.borrow(), State::Listed);
}

#[test]
fn what_a_pass_wrote_wakes_nobody_in_whatever_order_it_comes() {
    let (follower, mut receiver) = follower(ManagedKind::Service);
    follower.turn(State::Listed);
    follower.objects.put(&spec("a", 2, 80));
    follower.take(Event::Apply(spec("a", 1, 79)));
    follower.take(Event::Apply(spec("a", 2, 80)));
    // The answer after its event.
    follower.take(Event::Apply(spec("a", 4, 81)));
    assert_eq!(woken(&mut receiver), ["a"]);
    follower.objects.put(&spec("a", 3, 82));
    assert_eq!(
        follower.objects.get("tools", "mcp-a"),
        Some(spec("a", 4, 81))
    );
    relist(&follower, &[spec("a", 4, 81)]);
    follower.take(Event::InitDone);
    assert_eq!(woken(&mut receiver), [""; 0]);
}

#[test]
fn a_status_that_nobody_reads_wakes_nobody() {
    let (follower, mut receiver) = follower(ManagedKind::PodDisruptionBudget);
    let budget = |version, healthy: u16| {
        object(
            "a",
            version,
            &json!({ "spec": { "minAvailable": 1 }, "status": { "currentHealthy": healthy } }),
        )
    };
    follower.take(Event::Apply(budget(1, 0)));
    follower.take(Event::Apply(budget(2, 1)));
    assert_eq!(woken(&mut receiver), ["a"]);
}

#[test]
fn what_is_deleted_is_missed_at_once_and_everything_else_has_a_moment() {
    let (mut follower, mut soon) = follower(ManagedKind::Service);
    let (at_once, mut missed) = mpsc::unbounded_channel();
    follower.owners.at_once = at_once;
    follower.take(Event::Apply(spec("a", 1, 80)));
    assert_eq!(woken(&mut soon), ["a"]);
    assert_eq!(woken(&mut missed), [""; 0]);
    follower.take(Event::Delete(spec("a", 2, 80)));
    assert_eq!(woken(&mut soon), [""; 0]);
    assert_eq!(woken(&mut missed), ["a"]);
}

#[test]
fn how_far_a_rollout_is_gives_way_to_what_somebody_changed() {
    let (mut follower, mut soon) = follower(ManagedKind::Deployment);
    let (progress, mut progressed) = mpsc::unbounded_channel();
    follower.owners.progress = progress;
    let deployment = |version, replicas: u16, available: u16| {
        object(
            "a",
            version,
            &json!({ "spec": { "replicas": replicas }, "status": { "availableReplicas": available } }),
        )
    };
    follower.take(Event::Apply(deployment(1, 2, 0)));
    assert_eq!(woken(&mut soon), ["a"]);
    follower.take(Event::Apply(deployment(2, 2, 1)));
    assert_eq!(woken(&mut progressed), ["a"]);
    follower.take(Event::Apply(deployment(3, 5, 2)));
    assert_eq!(woken(&mut soon), ["a"]);
    assert_eq!(woken(&mut progressed), [""; 0]);
}

/// Everybody who is there is woken anyway; who is gone would never be looked after.
#[test]
fn a_first_list_wakes_whoever_has_something_in_another_namespace() {
    let (follower, mut receiver) = follower(ManagedKind::ServiceMonitor);
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
    relist(&follower, &[monitor("a", 1), spec("b", 1, 80)]);
    follower.take(Event::InitDone);
    assert_eq!(woken(&mut receiver), ["a"]);
    let server = ServerRef::from(ObjectRef::new("a").within("tools"));
    let key = ("monitoring".to_owned(), "mcp.tools.a".to_owned());
    let owned = follower.owned.clone().unwrap();
    assert!(owned.of(&server).contains(&key));
    follower.take(Event::Delete(monitor("a", 2)));
    assert_eq!(woken(&mut receiver), ["a"]);
    assert!(owned.of(&server).is_empty());
}

/// What is remembered of objects that went while the watch was down would be kept for ever.
#[test]
fn nothing_is_remembered_of_what_is_gone() {
    let (follower, _receiver) = follower(ManagedKind::ExternalSecret);
    let manifest = mcp_operator_core::manifest::Manifest {
        kind: ManagedKind::ExternalSecret,
        object: json!({ "metadata": { "name": "mcp-a" } }),
    };
    for end in [Event::Delete(spec("a", 2, 80)), Event::InitDone] {
        follower.take(Event::Apply(spec("a", 1, 80)));
        follower.written.agreed("tools", &manifest);
        let owned = follower.owned.clone().unwrap();
        let server = ServerRef::from(ObjectRef::new("a").within("tools"));
        assert_eq!(owned.of(&server).len(), 1);
        if matches!(end, Event::InitDone) {
            relist(&follower, &[]);
        }
        follower.take(end);
        assert!(!follower.written.had_agreed("tools", &manifest));
        assert!(owned.of(&server).is_empty());
    }
}
