//! Secrets of the operator's namespace: credentials for connections and registries, and public keys.

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use mcp_operator_connections::SecretLookup;

use crate::error::request;

/// Reads Secrets of one namespace from the API server.
pub struct NamespaceSecrets {
    api: Api<Secret>,
    namespace: String,
}

impl NamespaceSecrets {
    /// Those of this namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
        }
    }
}

impl SecretLookup for NamespaceSecrets {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        let action = move || format!("cannot read Secret {}/{name}", self.namespace);
        async move {
            let found = request(action, self.api.get_opt(name)).await;
            found.map_err(|error| error.to_string())
        }
        .boxed()
    }
}
