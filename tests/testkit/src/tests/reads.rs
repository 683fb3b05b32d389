use kube::Api;
use kube::api::{DynamicObject, ListParams};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::ManagedKind;
use serde_json::json;

use super::{of_kind, refused};
use crate::ApiServer;
use crate::objects::{config_map, mcp_server};

#[tokio::test]
async fn lists_are_of_what_is_selected() {
    let server = ApiServer::new();
    for (namespace, name) in [("tools", "a"), ("tools", "b"), ("other", "a")] {
        let mut map = config_map(namespace, name, json!({}));
        map["metadata"]["labels"] = json!({ "name": name });
        server.put(map);
    }
    let count = async |api: &Api<DynamicObject>, params: ListParams| {
        api.list(&params).await.unwrap().items.len()
    };
    let here = of_kind(&server, ManagedKind::ConfigMap);
    let everywhere = Api::all_with(server.client(), &ManagedKind::ConfigMap.api_resource());
    assert_eq!(count(&here, ListParams::default()).await, 2);
    assert_eq!(count(&everywhere, ListParams::default()).await, 3);
    assert_eq!(
        count(&everywhere, ListParams::default().labels("name=a")).await,
        2
    );
    assert_eq!(
        count(&here, ListParams::default().fields("metadata.name=b")).await,
        1
    );
    let unsupported = here.list(&ListParams::default().fields("data.a=b")).await;
    assert_eq!(refused(unsupported).code, 400);
}

#[tokio::test]
async fn only_metadata_is_given_to_who_asks_for_that() {
    let server = ApiServer::new();
    server.put(mcp_server("tools", "weather"));
    let api: Api<McpServer> = Api::namespaced(server.client(), "tools");
    let found = api.get_metadata("weather").await.unwrap();
    assert_eq!(found.types.unwrap().kind, "PartialObjectMetadata");
    assert!(found.metadata.uid.is_some());
    assert!(api.get_metadata_opt("gone").await.unwrap().is_none());
    let list = api.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 1);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.metadata_only)
    );
}

#[tokio::test]
async fn what_is_not_served_is_no_path_at_all() {
    let server = ApiServer::new();
    let api = of_kind(&server, ManagedKind::ServiceMonitor);
    let served = async || {
        let found = server
            .client()
            .list_api_group_resources("monitoring.coreos.com/v1")
            .await;
        found.is_ok_and(|list| {
            list.resources
                .iter()
                .any(|resource| resource.name == "servicemonitors")
        })
    };
    assert!(served().await);
    server.withdraw("ServiceMonitor");
    assert!(!served().await);
    let status = refused(api.list(&ListParams::default()).await);
    assert_eq!(
        (status.code, status.message.as_str()),
        (404, "404 page not found")
    );
    server.serve("ServiceMonitor");
    assert!(
        api.list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(served().await);
}
