//! Objects that are no longer wanted.

use k8s_openapi::api::core::v1::ConfigMap;
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_testkit::{Failure, Times};

use super::*;

/// Turns off what asks for an object of a kind.
fn turn_off(spec: &mut Value, kind: ManagedKind) {
    match kind {
        ManagedKind::ConfigMap => spec["config"] = json!({}),
        ManagedKind::ExternalSecret => spec["secrets"] = json!([]),
        ManagedKind::PodDisruptionBudget => spec["podDisruptionBudget"]["enabled"] = json!(false),
        ManagedKind::NetworkPolicy => spec["networkPolicy"]["enabled"] = json!(false),
        ManagedKind::ServiceMonitor => spec["observability"]["metrics"]["enabled"] = json!(false),
        ManagedKind::HorizontalPodAutoscaler => spec["autoscaling"] = Value::Null,
        ManagedKind::ServiceAccount | ManagedKind::Service | ManagedKind::Deployment => {
            unreachable!("every server has one")
        }
    }
}

const OPTIONAL: [ManagedKind; 6] = [
    ManagedKind::ConfigMap,
    ManagedKind::ExternalSecret,
    ManagedKind::PodDisruptionBudget,
    ManagedKind::NetworkPolicy,
    ManagedKind::ServiceMonitor,
    ManagedKind::HorizontalPodAutoscaler,
];

/// A server that does not want any more what it has of a kind.
async fn turned_off(kind: ManagedKind) -> World {
    let world = World::with_server(everything()).await;
    world.edit_spec(|spec| turn_off(spec, kind));
    if kind.is_read_by_pods() {
        // It stays for those that have it.
        world.reconcile().await.unwrap();
        assert!(world.exists(kind));
        world.roll_out();
        world.api.clear_log();
    }
    world
}

#[tokio::test(start_paused = true)]
async fn what_is_switched_off_goes() {
    for kind in OPTIONAL {
        let world = turned_off(kind).await;
        assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
        let others = ManagedKind::iter().filter(|other| *other != kind);
        assert_eq!(world.kinds(), others.collect::<Vec<_>>());
        let deleted = world.api.requests_of(&Match::verb(Verb::Delete));
        assert_eq!(deleted.len(), 1, "{kind:?}");
        assert_eq!(deleted[0].propagation_policy(), Some("Background"));
        world.api.clear_log();
        world.compare_again();
        world.reconcile().await.unwrap();
        assert_eq!(world.written(), [""; 0], "and again changes nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_several_objects_of_a_kind_goes() {
    let mut spec = everything();
    spec["secrets"] = json!([
        { "name": "token", "awsSecretKey": "mcp/token" },
        { "name": "extra", "awsSecretKey": "mcp/extra", "optional": true },
    ]);
    let world = World::with_server(spec).await;
    assert_eq!(world.api.objects_of("ExternalSecret").len(), 2);
    world.edit_spec(|spec| {
        spec["secrets"].as_array_mut().unwrap().pop();
    });
    world.reconcile().await.unwrap();
    world.roll_out();
    world.reconcile().await.unwrap();
    let left = world.api.objects_of("ExternalSecret");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["metadata"]["name"], "mcp-weather-secrets");
}

/// Somebody deletes the object and makes another one of that name, before our deletion comes.
#[tokio::test(start_paused = true)]
async fn what_somebody_made_meanwhile_is_not_deleted() {
    let kind = ManagedKind::PodDisruptionBudget;
    let world = turned_off(kind).await;
    world.api.before(deletions(kind), |api, request| {
        api.delete(&request.kind, NAMESPACE, CHILD);
        api.put(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": { "name": CHILD, "namespace": NAMESPACE }, "spec": { "minAvailable": 1 },
        }));
    });
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Conflict);
    assert!(world.exists(kind));
    world.api.clear_log();
    world.retry().await.unwrap();
    assert!(world.exists(kind), "it is not ours");
    assert!(world.api.requests_of(&deletions(kind)).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_already_is_no_failure() {
    let kind = ManagedKind::NetworkPolicy;
    let world = turned_off(kind).await;
    world.api.before(deletions(kind), |api, request| {
        api.delete(&request.kind, NAMESPACE, CHILD);
    });
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
}

#[tokio::test(start_paused = true)]
async fn what_is_being_deleted_is_not_deleted_again() {
    let kind = ManagedKind::ConfigMap;
    let world = turned_off(kind).await;
    world.begin_deletion::<ConfigMap>(place(kind).1).await;
    world.api.clear_log();
    assert!(matches!(world.reconcile().await, Ok(Progress::Applied(_))));
    assert!(world.api.requests_of(&deletions(kind)).is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_deletion_that_fails_keeps_no_other_from_it() {
    for failing in OPTIONAL {
        let world = World::with_server(everything()).await;
        world.edit_spec(|spec| OPTIONAL.iter().for_each(|kind| turn_off(spec, *kind)));
        world
            .api
            .fail(deletions(failing), Failure::internal("no"), Times::Once);
        if failing.is_read_by_pods() {
            world.reconcile().await.unwrap();
            world.roll_out();
        }
        let error = world.reconcile().await.unwrap_err();
        let (_, name) = place(failing);
        let expected = format!("delete {} tools/{name}: no", failing.name());
        assert_eq!(error.to_string(), expected);
        let left = OPTIONAL.into_iter().filter(|kind| world.exists(*kind));
        let waits = |kind: ManagedKind| kind.is_read_by_pods() && !failing.is_read_by_pods();
        let expected = OPTIONAL
            .into_iter()
            .filter(|kind| *kind == failing || waits(*kind));
        assert_eq!(left.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        world.roll_out();
        world.retry().await.unwrap();
        assert!(
            !OPTIONAL.into_iter().any(|kind| world.exists(kind)),
            "the retry deletes it"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn objects_are_deleted_although_others_cannot_be_applied() {
    let world = turned_off(ManagedKind::NetworkPolicy).await;
    world.edit_spec(|spec| spec["port"] = json!(9000));
    world.api.deny(applies(ManagedKind::Service), "you may not");
    let error = world.reconcile().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "apply Service tools/mcp-weather: you may not"
    );
    assert!(!world.exists(ManagedKind::NetworkPolicy));
}

#[tokio::test(start_paused = true)]
async fn foreign_objects_are_never_deleted() {
    let world = World::new().await;
    let others = [
        json!({ "apiVersion": "v1", "kind": "ConfigMap" }),
        json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget" }),
        json!({ "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret" }),
    ];
    for mut object in others {
        object["metadata"] = json!({
            "name": CHILD, "namespace": NAMESPACE,
            "labels": { "app.kubernetes.io/managed-by": "mcp-operator", "mcp.litellm.ai/server": NAME },
            "ownerReferences": [{ "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "name": NAME, "uid": "other", "controller": true }],
        });
        world.api.put(object);
    }
    world.put_server(little());
    world.converge().await;
    world.compare_again();
    world.reconcile().await.unwrap();
    assert!(world.api.requests_of(&Match::verb(Verb::Delete)).is_empty());
    for kind in ["ConfigMap", "PodDisruptionBudget", "ExternalSecret"] {
        assert_eq!(world.api.objects_of(kind).len(), 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_monitor_moves_with_the_option() {
    let first = World::with_server(everything()).await;
    let places = |world: &World| -> Vec<String> {
        let monitors = world.api.objects_of("ServiceMonitor").into_iter();
        monitors
            .map(|monitor| {
                monitor["metadata"]["namespace"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(places(&first), ["tools"]);
    let second = World::with_settings(first.api.clone(), monitored_elsewhere()).await;
    assert!(matches!(second.reconcile().await, Ok(Progress::Applied(_))));
    assert_eq!(places(&second), ["monitoring"]);
    let (_, _, message) = second
        .condition(conditions::SERVICE_MONITOR_CREATED)
        .unwrap();
    assert!(message.contains("in the namespace monitoring"), "{message}");
    // Of the same name, in yet another namespace.
    let other = build::Settings {
        service_monitor_namespace: Some("observability".into()),
        ..build::Settings::default()
    };
    let third = World::with_settings(first.api.clone(), other).await;
    third.reconcile().await.unwrap();
    assert_eq!(places(&third), ["observability"]);
    let last = World::on(first.api.clone()).await;
    last.reconcile().await.unwrap();
    assert_eq!(places(&last), ["tools"]);
}
