//! The ConfigMaps and Secrets that MCPPlugins name: each has a watch of its own, all of a cluster would be too many.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_runtime::named_watches::Named;
use mcp_operator_runtime::{NamedWatches, WorkQueue};

/// Objects that an MCPPlugin names, of which those without a namespace are in the operator's.
pub(crate) type References = fn(&McpPlugin, &str) -> BTreeSet<Named>;

/// Watches of what MCPPlugins name.
pub(crate) struct ReferenceWatches {
    pub(crate) maps: NamedWatches,
    pub(crate) secrets: NamedWatches,
    /// Where is what has no namespace: the operator's.
    pub(crate) namespace: String,
}

impl ReferenceWatches {
    /// Watches what these name, and nothing else any more.
    pub(crate) fn keep<'a>(&mut self, plugins: impl Iterator<Item = &'a McpPlugin>) {
        let (mut maps, mut secrets) = (BTreeSet::new(), BTreeSet::new());
        for plugin in plugins {
            maps.extend(config_maps(plugin, &self.namespace));
            secrets.extend(self::secrets(plugin, &self.namespace));
        }
        self.maps.keep::<ConfigMap>(&maps);
        self.secrets.keep::<Secret>(&secrets);
    }
}

/// What has changed of it.
pub(crate) struct ChangedReferences {
    pub(crate) maps: WorkQueue<Named>,
    pub(crate) secrets: WorkQueue<Named>,
}

/// ConfigMaps with its component, with the certificate authorities of where that is, and with the keys that sign it.
pub(crate) fn config_maps(plugin: &McpPlugin, operator_namespace: &str) -> BTreeSet<Named> {
    let source = &plugin.spec.source;
    let component = source
        .config_map
        .iter()
        .map(|map| (map.namespace.clone(), map.name.clone()));
    let authorities = source.ca_config_map.iter().map(|key| &key.name);
    let keys = source.verify.iter().flat_map(|verify| &verify.public_keys);
    let keys = keys.filter_map(|key| Some(&key.config_map_key_ref.as_ref()?.name));
    let own = authorities
        .chain(keys)
        .map(|name| (operator_namespace.to_owned(), name.clone()));
    component.chain(own).collect()
}

/// Secrets with the credentials of a registry, and with the keys that sign its component.
pub(crate) fn secrets(plugin: &McpPlugin, operator_namespace: &str) -> BTreeSet<Named> {
    let source = &plugin.spec.source;
    let pull = source.oci.iter().filter_map(|oci| oci.pull_secret.as_ref());
    let keys = source.verify.iter().flat_map(|verify| &verify.public_keys);
    let keys = keys.filter_map(|key| Some(&key.secret_key_ref.as_ref()?.name));
    let own = pull
        .chain(keys)
        .map(|name| (operator_namespace.to_owned(), name.clone()));
    own.collect()
}
