//! MCPServers as they are stored at this moment, for requests that carry only a part of one.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::{Api, Client};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_policy::ServerLookup;
use tokio::time::timeout;

use crate::error::status_message;
use crate::object_name::is_object_name;

/// How long the API server may take for one.
const LOOK_UP: Duration = Duration::from_secs(2);

/// Reads MCPServers from the API server. The informer would do for most, but it may be behind: then a rule would judge a
/// server that is no more.
#[derive(Clone)]
pub struct StoredServers(Client);

impl StoredServers {
    /// Those of this cluster.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    async fn find(&self, namespace: &str, name: &str) -> Result<Option<DynamicObject>, String> {
        if !is_object_name(namespace) || !is_object_name(name) {
            return Ok(None);
        }
        let resource = ApiResource::erase::<McpServer>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.0.clone(), namespace, &resource);
        match timeout(LOOK_UP, api.get_opt(name)).await {
            Ok(found) => found.map_err(|error| {
                let why = status_message(&error);
                format!("MCPServer {namespace}/{name} cannot be read: {why}")
            }),
            Err(_) => Err(format!(
                "MCPServer {namespace}/{name} cannot be read: no answer within {LOOK_UP:?}"
            )),
        }
    }
}

impl ServerLookup for StoredServers {
    fn server<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<DynamicObject>, String>> {
        self.find(namespace, name).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::http::{Request, Response};
    use futures::future::ready;
    use serde_json::json;

    use super::*;
    use crate::object_name::NOT_NAMES;

    /// An API server that has one server, and answers with its own path as an annotation.
    fn stored(code: u16) -> StoredServers {
        let answer = move |request: Request<kube::client::Body>| {
            let body = if code == 200 {
                json!({
                    "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
                    "metadata": { "name": "a", "annotations": { "path": request.uri().path() } },
                    "spec": { "unknown": 1 },
                })
            } else {
                let reason = if code == 404 {
                    "NotFound"
                } else {
                    "InternalError"
                };
                json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no", "reason": reason })
            };
            let response = Response::builder().status(code);
            ready(Ok::<_, Infallible>(
                response.body(Body::from(body.to_string())).unwrap(),
            ))
        };
        StoredServers::new(Client::new(tower::service_fn(answer), "default"))
    }

    #[tokio::test]
    async fn a_server_is_read_as_it_is_stored() {
        let found = stored(200).find("tools", "a").await.unwrap().unwrap();
        let path = &found.metadata.annotations.unwrap()["path"];
        assert_eq!(
            path,
            "/apis/mcp.litellm.ai/v1alpha1/namespaces/tools/mcpservers/a"
        );
        assert_eq!(found.data["spec"], json!({ "unknown": 1 }));
        assert!(stored(404).find("tools", "a").await.unwrap().is_none());
        let error = stored(500).find("tools", "a").await.unwrap_err();
        assert_eq!(error, "MCPServer tools/a cannot be read: no");
    }

    #[tokio::test]
    async fn a_name_is_no_way_to_other_resources() {
        for name in NOT_NAMES {
            assert!(stored(200).find("tools", name).await.unwrap().is_none());
            assert!(stored(200).find(name, "a").await.unwrap().is_none());
        }
    }
}
