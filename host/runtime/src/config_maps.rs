//! ConfigMaps of the cluster, for components that are kept in them.

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use mcp_operator_policy::ConfigMapLookup;

use crate::error::status_message;

/// Reads ConfigMaps from the API server.
#[derive(Clone)]
pub struct ClusterConfigMaps(Client);

impl ClusterConfigMaps {
    /// Those of this cluster.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

impl ConfigMapLookup for ClusterConfigMaps {
    fn config_map<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<ConfigMap>, String>> {
        let api: Api<ConfigMap> = Api::namespaced(self.0.clone(), namespace);
        async move {
            api.get_opt(name)
                .await
                .map_err(|error| status_message(&error))
        }
        .boxed()
    }

    fn remedy(&self, namespace: &str, name: &str) -> String {
        format!(
            "does not exist: create it with `kubectl create configmap {name} --namespace {namespace} --from-file=plugin.wasm`"
        )
    }
}
