use kube::api::{Patch, PatchParams};
use mcp_operator_core::manifest::ManagedKind;
use serde_json::{Value, json};

use super::{apply_spec, of_kind, refused};
use crate::ApiServer;

fn by(manager: &str) -> PatchParams {
    PatchParams::apply(manager)
}

fn entry(object: &Value, manager: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let mut found = entries.iter().filter(|entry| entry["manager"] == manager);
    found
        .next()
        .map(|entry| entry["fieldsV1"].clone())
        .unwrap_or_default()
}

fn containers(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]["containers"]
}

fn of_containers(containers: Value) -> Value {
    json!({ "template": { "spec": { "containers": containers } } })
}

#[tokio::test]
async fn an_apply_makes_what_is_not_there_and_owns_it() {
    let server = ApiServer::new();
    let object = apply_spec(
        &server,
        &by("one"),
        json!({ "replicas": 2, "selector": { "matchLabels": { "app": "a" } } }),
    )
    .await
    .unwrap();
    assert_eq!(object["metadata"]["generation"], 1);
    assert_eq!(object["metadata"]["namespace"], "tools");
    assert_eq!(
        entry(&object, "one"),
        json!({ "f:spec": { "f:replicas": {}, "f:selector": {} } })
    );
    assert_eq!(server.requests()[0].code, Some(201));
}

#[tokio::test]
async fn an_apply_of_the_same_writes_nothing() {
    let server = ApiServer::new();
    let first = apply_spec(&server, &by("one"), json!({ "replicas": 2 }))
        .await
        .unwrap();
    let before = server.resource_version();
    let second = apply_spec(&server, &by("one"), json!({ "replicas": 2 }))
        .await
        .unwrap();
    assert_eq!((first, before), (second, server.resource_version()));
}

#[tokio::test]
async fn who_is_not_forced_is_told_of_conflicts() {
    let server = ApiServer::new();
    apply_spec(
        &server,
        &by("one"),
        json!({ "replicas": 2, "paused": true }),
    )
    .await
    .unwrap();
    let status = refused(apply_spec(&server, &by("two"), json!({ "replicas": 3 })).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas"
    );
    let causes = status.details.unwrap().causes;
    assert_eq!(causes[0].reason, "FieldManagerConflict");
    assert_eq!(causes[0].field, ".spec.replicas");
    let both = json!({ "replicas": 3, "paused": false });
    let status = refused(apply_spec(&server, &by("two"), both).await);
    assert_eq!(
        status.message,
        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.paused\n- .spec.replicas"
    );
}

#[tokio::test]
async fn force_takes_a_field_over_and_the_same_value_is_shared() {
    let server = ApiServer::new();
    apply_spec(
        &server,
        &by("one"),
        json!({ "replicas": 2, "paused": true }),
    )
    .await
    .unwrap();
    let object = apply_spec(
        &server,
        &by("two").force(),
        json!({ "replicas": 3, "paused": true }),
    )
    .await
    .unwrap();
    assert_eq!(
        entry(&object, "one"),
        json!({ "f:spec": { "f:paused": {} } })
    );
    assert_eq!(
        entry(&object, "two"),
        json!({ "f:spec": { "f:paused": {}, "f:replicas": {} } })
    );
    assert_eq!(object["metadata"]["generation"], 2);
}

#[tokio::test]
async fn what_is_no_longer_applied_goes_unless_another_owns_it() {
    let server = ApiServer::new();
    let all = json!({ "replicas": 2, "paused": true, "strategy": { "type": "Recreate" } });
    apply_spec(&server, &by("one"), all).await.unwrap();
    apply_spec(&server, &by("two"), json!({ "paused": true }))
        .await
        .unwrap();
    let object = apply_spec(&server, &by("one"), json!({ "replicas": 2 }))
        .await
        .unwrap();
    assert_eq!(object["spec"], json!({ "replicas": 2, "paused": true }));
    assert_eq!(
        entry(&object, "one"),
        json!({ "f:spec": { "f:replicas": {} } })
    );
}

#[tokio::test]
async fn items_of_lists_are_told_apart_by_their_keys() {
    let server = ApiServer::new();
    let ours = json!([{
        "name": "server", "image": "acme:1",
        "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
        "ports": [{ "containerPort": 8080 }],
    }]);
    apply_spec(&server, &by("one"), of_containers(ours))
        .await
        .unwrap();
    let sidecar = of_containers(json!([{ "name": "mesh", "image": "mesh:1" }]));
    apply_spec(&server, &by("two"), sidecar).await.unwrap();
    let ours =
        json!([{ "name": "server", "image": "acme:2", "env": [{ "name": "B", "value": "2" }] }]);
    let object = apply_spec(&server, &by("one"), of_containers(ours))
        .await
        .unwrap();
    assert_eq!(
        *containers(&object),
        json!([
            { "name": "server", "image": "acme:2", "env": [{ "name": "B", "value": "2" }] },
            { "name": "mesh", "image": "mesh:1" },
        ])
    );
    let owned = entry(&object, "one");
    let owned = &owned["f:spec"]["f:template"]["f:spec"]["f:containers"];
    assert_eq!(
        *owned,
        json!({ "k:{\"name\":\"server\"}": {
            ".": {}, "f:image": {}, "f:name": {},
            "f:env": { "k:{\"name\":\"B\"}": { ".": {}, "f:name": {}, "f:value": {} } },
        } })
    );
    let object = apply_spec(&server, &by("one"), json!({ "replicas": 1 }))
        .await
        .unwrap();
    assert_eq!(
        *containers(&object),
        json!([{ "name": "mesh", "image": "mesh:1" }])
    );
}

#[tokio::test]
async fn a_port_without_protocol_has_that_of_the_schema() {
    let server = ApiServer::new();
    let ports = json!([{ "name": "server", "ports": [{ "containerPort": 80 }] }]);
    let object = apply_spec(&server, &by("one"), of_containers(ports))
        .await
        .unwrap();
    let owned = entry(&object, "one").to_string();
    assert!(
        owned.contains(r#"k:{\"containerPort\":80,\"protocol\":\"TCP\"}"#),
        "{owned}"
    );
}

#[tokio::test]
async fn another_write_takes_the_field_and_names_the_manager() {
    let server = ApiServer::new();
    apply_spec(
        &server,
        &by("one"),
        json!({ "replicas": 2, "paused": true }),
    )
    .await
    .unwrap();
    server.edit("Deployment", "tools", "a", |object| {
        object["spec"]["replicas"] = json!(5);
    });
    let object = server.get("Deployment", "tools", "a").unwrap();
    assert_eq!(
        entry(&object, "one"),
        json!({ "f:spec": { "f:paused": {} } })
    );
    assert_eq!(
        entry(&object, crate::TEST_MANAGER),
        json!({ "f:spec": { "f:replicas": {} } })
    );
    let status = refused(apply_spec(&server, &by("one"), json!({ "replicas": 2 })).await);
    assert!(
        status
            .message
            .contains("conflict with \"testkit\" using apps/v1 at "),
        "{}",
        status.message
    );
}

/// The operator's way to make an object without taking one over.
#[tokio::test]
async fn an_apply_with_a_version_conflicts_where_there_is_an_object() {
    let server = ApiServer::new();
    let api = of_kind(&server, ManagedKind::ConfigMap);
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "resourceVersion": "1" } });
    let apply = async || {
        api.patch("a", &by("one").force(), &Patch::Apply(&map))
            .await
    };
    apply().await.unwrap();
    let status = refused(apply().await);
    assert_eq!(
        status.message,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
}

#[tokio::test]
async fn an_apply_with_a_uid_never_makes_an_object_nor_writes_to_another() {
    let server = ApiServer::new();
    let api = of_kind(&server, ManagedKind::ConfigMap);
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "uid": "other" } });
    let apply = async || {
        refused(
            api.patch("a", &by("one").force(), &Patch::Apply(&map))
                .await,
        )
        .code
    };
    assert_eq!(apply().await, 409);
    server.put(crate::objects::config_map("tools", "a", json!({})));
    assert_eq!(apply().await, 422);
}
