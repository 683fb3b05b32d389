//! Objects of somebody else in the place of ours.

use mcp_operator_core::retry::{Classify, ErrorClass};

use super::*;

/// An object of a kind in the place of ours, as somebody else made it.
fn foreign(kind: ManagedKind, labels: Value) -> Value {
    let (namespace, name) = place(kind);
    let resource = kind.api_resource();
    json!({
        "apiVersion": resource.api_version, "kind": resource.kind,
        "metadata": { "namespace": namespace, "name": name, "labels": labels }, "spec": { "theirs": true },
    })
}

/// A label of ours, by which the caches show an object, does not make it ours.
fn managed() -> Value {
    json!({ "app.kubernetes.io/managed-by": "mcp-operator" })
}

#[tokio::test(start_paused = true)]
async fn a_foreign_object_of_any_kind_is_never_touched() {
    for kind in ManagedKind::iter() {
        for labels in [managed(), json!({})] {
            let world = World::new().await;
            let theirs = world.api.put(foreign(kind, labels));
            world.put_server(everything());
            let error = world.reconcile().await.unwrap_err();
            let (namespace, name) = place(kind);
            let kind_name = kind.name();
            let expected = format!(
                "{kind_name} {namespace}/{name} exists and is not managed by this MCPServer: rename the MCPServer, delete the {kind_name} to let the operator make its own, or give it to the MCPServer by the annotation mcp.litellm.ai/adopt and its labels"
            );
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.category(), "ForeignObject");
            assert_eq!(error.class(), ErrorClass::External);
            assert!(world.retry().await.is_err());
            assert_eq!(world.api.get(kind_name, namespace, name), Some(theirs));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_object_keeps_no_other_from_being_made_but_those_that_need_it() {
    let world = World::new().await;
    world.api.put(foreign(ManagedKind::Service, managed()));
    world.put_server(everything());
    world.reconcile().await.unwrap_err();
    assert_eq!(world.kinds().len(), ManagedKind::iter().count());
    let (reason, message) = world.ready();
    assert_eq!(reason, "ReplicasUnavailable", "{message}");
    world.roll_out();
    world.retry().await.unwrap_err();
    assert_eq!(world.ready().0, "ForeignObject");

    let world = World::new().await;
    world.api.put(foreign(ManagedKind::Deployment, managed()));
    world.put_server(everything());
    world.reconcile().await.unwrap_err();
    assert!(!world.exists(ManagedKind::HorizontalPodAutoscaler));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_without_our_label_is_written_to_once_in_vain_and_then_only_read() {
    let world = World::new().await;
    world.api.put(foreign(ManagedKind::Service, json!({})));
    world.put_server(little());
    world.reconcile().await.unwrap_err();
    let services = |verb: Verb| {
        let requests = world.api.requests_of(&Match::verb(verb).kind("Service"));
        let codes = requests.iter().map(|request| request.code.unwrap());
        codes.collect::<Vec<u16>>()
    };
    assert_eq!(services(Verb::Apply), [409]);
    assert_eq!(services(Verb::Get), [200]);
    world.api.clear_log();
    world.retry().await.unwrap_err();
    assert_eq!(services(Verb::Apply), [0; 0]);
    assert_eq!(services(Verb::Get), [200]);
    world.api.delete("Service", NAMESPACE, CHILD);
    world.retry().await.unwrap();
    assert!(world.exists(ManagedKind::Service));
}

/// Whoever is in the way and is gone when it is looked at leaves a conflict, which is tried again soon.
#[tokio::test(start_paused = true)]
async fn what_was_in_the_way_a_moment_ago_is_a_conflict() {
    let world = World::new().await;
    world.api.put(foreign(ManagedKind::Service, json!({})));
    world
        .api
        .before(Match::verb(Verb::Get).kind("Service"), |api, _| {
            api.delete("Service", NAMESPACE, CHILD);
        });
    world.put_server(little());
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Conflict);
    assert!(!world.exists(ManagedKind::Service));
    world.retry().await.unwrap();
    assert!(world.exists(ManagedKind::Service));
}

#[tokio::test(start_paused = true)]
async fn what_a_deleted_namesake_has_left_is_waited_for() {
    for labels in [managed(), json!({})] {
        let world = World::new().await;
        let mut left = foreign(ManagedKind::Service, labels);
        left["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "name": NAME, "uid": "gone", "controller": true,
        }]);
        world.api.put(left);
        world.put_server(little());
        let error = world.reconcile().await.unwrap_err();
        let expected = "Service tools/mcp-weather belongs to a deleted MCPServer of the same name: the operator waits until it is removed";
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            (error.category(), error.class()),
            ("LeftBehind", ErrorClass::Transient)
        );
        assert_eq!(
            world.condition(conditions::READY),
            None,
            "not worth a status yet"
        );
        world.api.collect_garbage();
        assert!(!world.exists(ManagedKind::Service));
        world.retry().await.unwrap();
        assert!(world.exists(ManagedKind::Service));
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_server_is_foreign() {
    let world = World::new().await;
    let mut theirs = foreign(ManagedKind::Service, managed());
    theirs["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "name": "other", "uid": "2", "controller": true,
    }]);
    world.api.put(theirs);
    world.put_server(little());
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.category(), "ForeignObject");
}
