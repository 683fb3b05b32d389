//! Secrets of the cluster, for the credentials of connections.

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use mcp_operator_connections::SecretLookup;
use mcp_operator_runtime::request;

/// Reads Secrets from the API server.
pub(crate) struct ClusterSecrets(pub(crate) Client);

impl SecretLookup for ClusterSecrets {
    fn secret<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        let api: Api<Secret> = Api::namespaced(self.0.clone(), namespace);
        let action = move || format!("cannot read Secret {namespace}/{name}");
        async move {
            let found = request(action, api.get_opt(name)).await;
            found.map_err(|error| error.to_string())
        }
        .boxed()
    }
}
