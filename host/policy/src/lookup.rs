//! What the plugins' side needs to know from a cluster, or from files where there is none.

use futures::future::{BoxFuture, FutureExt, ready};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::DynamicObject;
use mcp_operator_connections::SecretLookup;
use mcp_operator_core::namespace::NamespaceFacts;

/// Finds ConfigMaps that hold components.
pub trait ConfigMapLookup: Send + Sync {
    /// The ConfigMap; nothing if it is not there.
    ///
    /// # Errors
    /// Why nobody can say whether it is there, as one sentence.
    fn config_map<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<ConfigMap>, String>>;

    /// The end of the error about a ConfigMap that is not there: what to do.
    fn remedy(&self, namespace: &str, name: &str) -> String;
}

/// Where there are none: components lie in files.
pub(crate) struct NoConfigMaps;

impl ConfigMapLookup for NoConfigMaps {
    fn config_map<'a>(
        &'a self,
        _namespace: &'a str,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<Option<ConfigMap>, String>> {
        ready(Ok(None)).boxed()
    }

    fn remedy(&self, _namespace: &str, _name: &str) -> String {
        "is in a cluster, which is not asked".to_owned()
    }
}

/// Finds the labels and annotations of namespaces, by which rules are selected.
pub trait NamespaceLookup: Send + Sync {
    /// What is known of a namespace. One that does not exist has neither labels nor annotations.
    ///
    /// # Errors
    /// Why nobody can say, as one sentence: then no rule that depends on it may be left out.
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<NamespaceFacts, String>>;
}

/// Finds MCPServers as they are stored: a request for a subresource of one carries only a part of it.
pub trait ServerLookup: Send + Sync {
    /// The MCPServer; nothing if it is not there.
    ///
    /// # Errors
    /// Why nobody can say, as one sentence.
    fn server<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<DynamicObject>, String>>;
}

/// Where no MCPServer is stored: without a cluster.
pub struct NoStoredServers;

impl ServerLookup for NoStoredServers {
    fn server<'a>(
        &'a self,
        _namespace: &'a str,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<Option<DynamicObject>, String>> {
        ready(Ok(None)).boxed()
    }
}

/// Where no Secret is known: without a cluster.
pub(crate) struct NoSecrets;

impl SecretLookup for NoSecrets {
    fn namespace(&self) -> &'static str {
        "of the operator"
    }

    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        ready(Err(format!(
            "Secret {name} of the operator's namespace is not known without a cluster"
        )))
        .boxed()
    }
}
