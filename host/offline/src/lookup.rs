//! Namespaces and ConfigMaps from manifests, where the operator would ask the cluster.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::ResourceExt;
use mcp_operator_policy::{ConfigMapLookup, NamespaceFacts, NamespaceLookup};

/// What the API server writes on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The namespaces that were given, by name. Every other one has no labels but its name, and no annotations.
pub(crate) struct GivenNamespaces(BTreeMap<String, NamespaceFacts>);

impl GivenNamespaces {
    pub(crate) fn new(namespaces: Vec<Namespace>) -> Self {
        let facts = namespaces.into_iter().map(|namespace| {
            let name = namespace.name_any();
            let mut facts = unknown(&name);
            // What the API server writes wins over what the manifest says.
            let mut labels = namespace.metadata.labels.unwrap_or_default();
            labels.append(&mut facts.labels);
            facts.labels = labels;
            facts.annotations = namespace.metadata.annotations.unwrap_or_default();
            (name, facts)
        });
        Self(facts.collect())
    }

    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn facts(&self, name: &str) -> NamespaceFacts {
        self.0.get(name).cloned().unwrap_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> NamespaceFacts {
    NamespaceFacts {
        name: name.to_owned(),
        labels: BTreeMap::from([(NAMESPACE_NAME.to_owned(), name.to_owned())]),
        annotations: BTreeMap::new(),
    }
}

impl NamespaceLookup for GivenNamespaces {
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<NamespaceFacts, String>> {
        ready(Ok(self.facts(name))).boxed()
    }
}

/// The ConfigMaps that were given.
pub(crate) struct GivenConfigMaps(pub(crate) Vec<ConfigMap>);

impl ConfigMapLookup for GivenConfigMaps {
    fn config_map<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<ConfigMap>, String>> {
        let found = self.0.iter().find(|map| {
            map.metadata.namespace.as_deref() == Some(namespace)
                && map.metadata.name.as_deref() == Some(name)
        });
        ready(Ok(found.cloned())).boxed()
    }

    fn remedy(&self, _namespace: &str, _name: &str) -> String {
        "is not among the manifests of the plugins".to_owned()
    }
}
