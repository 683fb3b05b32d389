use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::{Api, ResourceExt};
use mcp_operator_api::v1alpha1::McpServer;
use serde_json::{Value, json};

use super::refused;
use crate::objects::{config_map, mcp_server};
use crate::{ApiServer, ResourceType, Verb};

fn maps(server: &ApiServer) -> Api<ConfigMap> {
    Api::namespaced(server.client(), "tools")
}

fn map(data: Value) -> ConfigMap {
    serde_json::from_value(config_map("tools", "a", data)).unwrap()
}

#[tokio::test]
async fn an_object_is_made_once() {
    let server = ApiServer::new();
    let made = maps(&server)
        .create(&PostParams::default(), &map(json!({})))
        .await
        .unwrap();
    assert!(made.uid().is_some() && made.creation_timestamp().is_some());
    let status = refused(
        maps(&server)
            .create(&PostParams::default(), &map(json!({})))
            .await,
    );
    assert_eq!(status.message, "configmaps \"a\" already exists");
    assert_eq!(
        (status.code, status.reason.as_str()),
        (409, "AlreadyExists")
    );
    assert_eq!(status.details.unwrap().name, "a");
}

#[tokio::test]
async fn a_name_is_generated() {
    let server = ApiServer::new();
    let mut map = map(json!({}));
    map.metadata.name = None;
    map.metadata.generate_name = Some("a-".into());
    let create = async || {
        maps(&server)
            .create(&PostParams::default(), &map)
            .await
            .unwrap()
            .name_any()
    };
    let (one, other) = (create().await, create().await);
    assert!(one.starts_with("a-") && one != other, "{one} {other}");
}

#[tokio::test]
async fn an_old_version_is_not_replaced() {
    let server = ApiServer::new();
    let api = maps(&server);
    let made = api
        .create(&PostParams::default(), &map(json!({ "a": "1" })))
        .await
        .unwrap();
    server.edit("ConfigMap", "tools", "a", |object| {
        object["data"]["b"] = json!("2");
    });
    let status = refused(api.replace("a", &PostParams::default(), &made).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    let newest = api.get("a").await.unwrap();
    api.replace("a", &PostParams::default(), &newest)
        .await
        .unwrap();
    assert_eq!(
        api.get("a").await.unwrap().resource_version(),
        newest.resource_version(),
        "nothing was written"
    );
}

#[tokio::test]
async fn patches_change_a_part() {
    let server = ApiServer::new();
    server.put(config_map("tools", "a", json!({ "a": "1", "b": "2" })));
    let (api, params) = (maps(&server), PatchParams::default());
    let merge = json!({ "data": { "a": null, "c": "3" } });
    let patched = api
        .patch("a", &params, &Patch::Merge(&merge))
        .await
        .unwrap();
    let data = serde_json::to_value(&patched.data).unwrap();
    assert_eq!(data, json!({ "b": "2", "c": "3" }));
    let old = json!({ "metadata": { "resourceVersion": "1" }, "data": { "c": "4" } });
    assert_eq!(
        refused(api.patch("a", &params, &Patch::Merge(&old)).await).code,
        409
    );
    let status = refused(api.patch("a", &params, &Patch::Strategic(&merge)).await);
    assert_eq!(
        (status.code, status.reason.as_str()),
        (415, "UnsupportedMediaType")
    );
    assert_eq!(
        refused(api.patch("b", &params, &Patch::Merge(&merge)).await).message,
        "configmaps \"b\" not found"
    );
}

#[tokio::test]
async fn what_is_deleted_is_the_very_object() {
    let server = ApiServer::new();
    server.put(config_map("tools", "a", json!({})));
    let with_uid = |uid: &str| DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.into()),
            resource_version: None,
        }),
        ..DeleteParams::background()
    };
    let status = refused(maps(&server).delete("a", &with_uid("other")).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    let uid = server.get("ConfigMap", "tools", "a").unwrap()["metadata"]["uid"].clone();
    maps(&server)
        .delete("a", &with_uid(uid.as_str().unwrap()))
        .await
        .unwrap();
    assert_eq!(server.get("ConfigMap", "tools", "a"), None);
    assert_eq!(server.writes()[1].propagation_policy(), Some("Background"));
    assert_eq!(
        refused(maps(&server).delete("a", &DeleteParams::default()).await).code,
        404
    );
}

#[tokio::test]
async fn finalizers_hold_an_object() {
    let server = ApiServer::new();
    let mut held = config_map("tools", "a", json!({}));
    held["metadata"]["finalizers"] = json!(["keep"]);
    server.put(held);
    maps(&server)
        .delete("a", &DeleteParams::default())
        .await
        .unwrap();
    let leaving = maps(&server).get("a").await.unwrap();
    assert!(leaving.metadata.deletion_timestamp.is_some());
    let release = json!({ "metadata": { "finalizers": null } });
    maps(&server)
        .patch("a", &PatchParams::default(), &Patch::Merge(&release))
        .await
        .unwrap();
    assert_eq!(server.get("ConfigMap", "tools", "a"), None);
}

#[tokio::test]
async fn a_status_is_written_through_its_subresource_alone() {
    let server = ApiServer::new();
    let api: Api<McpServer> = Api::namespaced(server.client(), "tools");
    let params = PatchParams::apply("one").force();
    let body = json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer", "metadata": { "name": "weather" },
        "spec": { "replicas": 7 }, "status": { "phase": "Ready" },
    });
    let status = refused(
        api.patch_status("weather", &params, &Patch::Apply(&body))
            .await,
    );
    assert_eq!(
        status.message,
        "mcpservers.mcp.litellm.ai \"weather\" not found"
    );
    server.put(mcp_server("tools", "weather"));
    api.patch_status("weather", &params, &Patch::Apply(&body))
        .await
        .unwrap();
    let object = server.get("MCPServer", "tools", "weather").unwrap();
    assert_eq!(
        (&object["spec"]["replicas"], &object["status"]["phase"]),
        (&json!(2), &json!("Ready"))
    );
    assert_eq!(
        object["metadata"]["generation"], 1,
        "a status is no new specification"
    );
    let merge = json!({ "spec": { "replicas": 3 }, "status": { "phase": "Failed" } });
    api.patch("weather", &PatchParams::default(), &Patch::Merge(&merge))
        .await
        .unwrap();
    let object = server.get("MCPServer", "tools", "weather").unwrap();
    assert_eq!(
        (&object["spec"]["replicas"], &object["status"]["phase"]),
        (&json!(3), &json!("Ready"))
    );
    assert_eq!(object["metadata"]["generation"], 2);
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let of_status = entries
        .iter()
        .find(|entry| entry["subresource"] == "status")
        .unwrap();
    assert_eq!(
        of_status["fieldsV1"],
        json!({ "f:status": { "f:phase": {} } })
    );
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let server = ApiServer::new();
    let params = PostParams {
        dry_run: true,
        field_manager: None,
    };
    maps(&server)
        .create(&params, &map(json!({})))
        .await
        .unwrap();
    assert_eq!(server.objects_of("ConfigMap"), Vec::<Value>::new());
}

#[tokio::test]
async fn an_event_is_one_of_the_newer_group() {
    let server = ApiServer::new();
    let events: Api<Event> = Api::namespaced(server.client(), "tools");
    let event = Event {
        metadata: kube::core::ObjectMeta {
            name: Some("e".into()),
            ..Default::default()
        },
        ..Event::default()
    };
    events.create(&PostParams::default(), &event).await.unwrap();
    let recorded = &server.writes()[0];
    assert_eq!(
        (
            recorded.verb,
            recorded.kind.as_str(),
            recorded.name.as_str()
        ),
        (Verb::Create, "Event", "e")
    );
    assert_eq!(server.list_as::<Event>().len(), 1);
}

/// It has no name, and what admission makes of it is the answer.
#[tokio::test]
async fn a_review_is_answered_and_not_stored() {
    let server = ApiServer::new();
    let resource = ApiResource::erase::<SubjectAccessReview>(&());
    server.register(ResourceType::built_in(resource).cluster_scoped().answered());
    server.admit("SubjectAccessReview", |review| {
        review["status"] = json!({ "allowed": true });
    });
    let api: Api<SubjectAccessReview> = Api::all(server.client());
    let question = SubjectAccessReview::default();
    let answer = api.create(&PostParams::default(), &question).await.unwrap();
    assert!(answer.status.unwrap().allowed);
    assert!(server.objects_of("SubjectAccessReview").is_empty());
}
