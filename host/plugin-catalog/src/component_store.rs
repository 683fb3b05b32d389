//! The operator's own copies of components that are in force, in its own namespace: what is enforced outlives both its
//! source and the pod, and replicas of two versions of the operator judge by the same ones.
//!
//! A copy belongs to its MCPPlugin: the garbage collector deletes it with that.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, annotations, labels};
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_runtime::{ApiError, request};
use mcp_plugin_host::Digest;
use tracing::warn;

use crate::status::shown_digest;

/// The largest component that is copied, in bytes: a ConfigMap holds no more than 1 MiB.
pub(crate) const LARGEST: usize = 1_000_000;
/// The key that holds the component.
const KEY: &str = "plugin.wasm";
/// Digits of the digest in the name of a copy.
const NAME_DIGITS: usize = 16;

/// What is to be kept of a plugin.
#[derive(Clone, Debug)]
pub(crate) struct KeptComponent {
    /// Name of the MCPPlugin.
    pub(crate) plugin: String,
    /// Which object that is.
    pub(crate) uid: String,
    /// Absent: it is too large for a copy.
    pub(crate) component: Option<Vec<u8>>,
}

/// The copies. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ComponentStore(Api<ConfigMap>);

impl ComponentStore {
    /// Those in the operator's namespace.
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self(Api::namespaced(client, namespace))
    }

    /// The component of a plugin that was in force last, if a copy is there and is what it was.
    pub(crate) async fn read(&self, plugin: &McpPlugin) -> Result<Option<Vec<u8>>, ApiError> {
        let uid = plugin.metadata.uid.as_deref().unwrap_or_default();
        let mut copies = self.list(uid).await?;
        // There are two while a new one takes the place of an old one.
        let in_force = plugin
            .status
            .as_ref()
            .and_then(|status| status.digest.clone());
        copies.sort_by_key(|copy| {
            let digest = copy.annotations().get(annotations::COMPONENT_DIGEST);
            (digest == in_force.as_ref(), copy.creation_timestamp())
        });
        let mut newest_first = copies.into_iter().rev();
        Ok(newest_first.find_map(|copy| {
            let name = copy.name_any();
            let component = intact(copy);
            if component.is_none() {
                warn!(
                    plugin = plugin.name_any(),
                    copy = name,
                    "the copy of a component is not what it was, and is not used"
                );
            }
            component
        }))
    }

    /// Makes the copies of a plugin what they should be. The new one comes before the old one goes.
    pub(crate) async fn keep(&self, kept: &KeptComponent) -> Result<(), ApiError> {
        let copies = self.list(&kept.uid).await?;
        let wanted = kept
            .component
            .as_deref()
            .map(|component| manifest(kept, component));
        if let Some(wanted) = &wanted {
            let namesake = copies
                .iter()
                .find(|copy| copy.metadata.name == wanted.metadata.name);
            let is_intact = namesake.is_some_and(|copy| copy.binary_data == wanted.binary_data);
            if let Some(broken) = namesake.filter(|_| !is_intact) {
                self.delete(broken).await?;
            }
            if !is_intact {
                self.create(wanted).await?;
            }
        }
        let wanted = wanted.and_then(|wanted| wanted.metadata.name);
        for other in copies.iter().filter(|copy| copy.metadata.name != wanted) {
            self.delete(other).await?;
        }
        Ok(())
    }

    async fn list(&self, uid: &str) -> Result<Vec<ConfigMap>, ApiError> {
        let of_plugin = ListParams::default().labels(&format!("{}={uid}", labels::PLUGIN_UID));
        let list = self.0.list(&of_plugin);
        let copies = request(|| "list the copies of components".to_owned(), list).await?;
        Ok(copies.items)
    }

    async fn create(&self, copy: &ConfigMap) -> Result<(), ApiError> {
        let params = PostParams::default();
        let create = self.0.create(&params, copy);
        request(|| format!("create ConfigMap {}", copy.name_any()), create)
            .await
            .map(drop)
    }

    async fn delete(&self, copy: &ConfigMap) -> Result<(), ApiError> {
        let name = copy.name_any();
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: copy.metadata.uid.clone(),
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        let delete = self.0.delete(&name, &params);
        match request(|| format!("delete ConfigMap {name}"), delete).await {
            Err(error) if error.is_not_found() => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

/// The component of a copy, if it has the digest that the copy is for.
fn intact(copy: ConfigMap) -> Option<Vec<u8>> {
    let digest = copy
        .annotations()
        .get(annotations::COMPONENT_DIGEST)?
        .clone();
    let component = copy.binary_data?.remove(KEY)?.0;
    (digest == shown_digest(Digest::of(&component))).then_some(component)
}

fn manifest(kept: &KeptComponent, component: &[u8]) -> ConfigMap {
    let digest = Digest::of(component);
    let short: String = digest.to_string().chars().take(NAME_DIGITS).collect();
    let owner = OwnerReference {
        api_version: API_VERSION.into(),
        kind: PLUGIN_KIND.into(),
        name: kept.plugin.clone(),
        uid: kept.uid.clone(),
        ..OwnerReference::default()
    };
    let label = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(format!("mcp-plugin-{}-{short}", kept.uid)),
            labels: Some([(labels::PLUGIN_UID, kept.uid.as_str())].map(label).into()),
            annotations: Some(BTreeMap::from([(
                annotations::COMPONENT_DIGEST.to_owned(),
                shown_digest(digest),
            )])),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        binary_data: Some(BTreeMap::from([(
            KEY.to_owned(),
            ByteString(component.to_vec()),
        )])),
        ..ConfigMap::default()
    }
}

#[cfg(test)]
#[path = "component_store_tests.rs"]
mod tests;
