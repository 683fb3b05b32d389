//! The operator's own copies of components that are in force, in its own namespace: what is enforced outlives both its
//! source and the pod, and replicas of two versions of the operator judge by the same ones.
//!
//! A ConfigMap holds 1 MiB: what is larger is in several, its parts. A copy belongs to its MCPPlugin: the garbage collector
//! deletes it with that.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, annotations, labels};
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_policy::Provenance;
use mcp_operator_runtime::{ApiError, delete_by_uid, request};
use mcp_plugin_host::Digest;
use tracing::warn;

use crate::status::shown_digest;

/// The key that holds the component.
const KEY: &str = "plugin.wasm";
/// Digits of the digest in the name of a copy.
const NAME_DIGITS: usize = 16;
/// Most bytes of a component in one ConfigMap, which holds 1 MiB with its keys.
const PART: usize = 960 << 10;

/// What is to be kept of a plugin.
#[derive(Clone, Debug)]
pub(crate) struct KeptComponent {
    /// Name of the MCPPlugin.
    pub(crate) plugin: String,
    /// Which object that is.
    pub(crate) uid: String,
    pub(crate) component: Vec<u8>,
    /// Where that came from.
    pub(crate) provenance: Provenance,
}

/// A component that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComponentCopy {
    pub(crate) component: Vec<u8>,
    pub(crate) provenance: Provenance,
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
    pub(crate) async fn read(&self, plugin: &McpPlugin) -> Result<Option<ComponentCopy>, ApiError> {
        let uid = plugin.metadata.uid.as_deref().unwrap_or_default();
        let mut copies: BTreeMap<String, Vec<ConfigMap>> = BTreeMap::new();
        for part in self.list(uid).await? {
            copies.entry(set_name(&part)).or_default().push(part);
        }
        let mut copies: Vec<Vec<ConfigMap>> = copies.into_values().collect();
        // There are two while a new one takes the place of an old one.
        let in_force = plugin
            .status
            .as_ref()
            .and_then(|status| status.digest.clone());
        copies.sort_by_key(|parts| {
            let digest = parts
                .first()
                .and_then(|part| annotation(part, annotations::COMPONENT_DIGEST));
            let made = parts
                .iter()
                .filter_map(ResourceExt::creation_timestamp)
                .max();
            (digest == in_force.as_deref(), made)
        });
        let mut newest_first = copies.into_iter().rev();
        Ok(newest_first.find_map(|parts| {
            let name = parts.first().map(ResourceExt::name_any);
            let copy = intact(parts);
            if copy.is_none() {
                warn!(
                    plugin = plugin.name_any(),
                    copy = name,
                    "the copy of a component is not what it was, and is not used"
                );
            }
            copy
        }))
    }

    /// Makes the copies of a plugin what they should be. The new one comes before the old one goes.
    pub(crate) async fn keep(&self, kept: &KeptComponent) -> Result<(), ApiError> {
        let copies = self.list(&kept.uid).await?;
        let wanted = manifests(kept);
        for wanted in &wanted {
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
        let is_wanted = |copy: &&ConfigMap| {
            let mut names = wanted.iter().map(|wanted| &wanted.metadata.name);
            names.any(|name| *name == copy.metadata.name)
        };
        for other in copies.iter().filter(|copy| !is_wanted(copy)) {
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
        let params = delete_by_uid(copy.metadata.uid.clone());
        let delete = self.0.delete(&name, &params);
        match request(|| format!("delete ConfigMap {name}"), delete).await {
            Err(error) if error.is_not_found() => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

fn annotation<'a>(part: &'a ConfigMap, name: &str) -> Option<&'a str> {
    part.annotations().get(name).map(String::as_str)
}

/// Which part it is, and of how many.
fn position(part: &ConfigMap) -> (usize, usize) {
    let position = annotation(part, annotations::COMPONENT_PART);
    let read = position.and_then(|position| {
        let (index, number) = position.split_once('/')?;
        Some((index.parse().ok()?, number.parse().ok()?))
    });
    read.unwrap_or((0, 1))
}

/// The name that all parts of one copy have, besides the number of each.
fn set_name(part: &ConfigMap) -> String {
    let name = part.name_any();
    match position(part) {
        (0, _) => name,
        (index, _) => name
            .strip_suffix(&format!("-{index}"))
            .map_or_else(|| name.clone(), str::to_owned),
    }
}

/// The component of a copy, if all its parts are there and it has the digest that the copy is for.
fn intact(mut parts: Vec<ConfigMap>) -> Option<ComponentCopy> {
    parts.sort_by_key(position);
    let number = parts.len();
    let is_complete = parts
        .iter()
        .enumerate()
        .all(|(index, part)| position(part) == (index, number));
    let first = parts.first().filter(|_| is_complete)?;
    let digest = annotation(first, annotations::COMPONENT_DIGEST)?.to_owned();
    let signed_by = annotation(first, annotations::SIGNED_BY).unwrap_or_default();
    let provenance = Provenance {
        resolved_reference: annotation(first, annotations::RESOLVED_REFERENCE).map(str::to_owned),
        signed_by: signed_by
            .split(',')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    let mut component = Vec::new();
    for part in parts {
        component.append(&mut part.binary_data?.remove(KEY)?.0);
    }
    (digest == shown_digest(Digest::of(&component))).then_some(ComponentCopy {
        component,
        provenance,
    })
}

/// The parts of a copy.
fn manifests(kept: &KeptComponent) -> Vec<ConfigMap> {
    let component = kept.component.as_slice();
    let digest = Digest::of(component);
    let Provenance {
        resolved_reference,
        signed_by,
    } = &kept.provenance;
    let mut described = BTreeMap::from([(
        annotations::COMPONENT_DIGEST.to_owned(),
        shown_digest(digest),
    )]);
    if let Some(reference) = resolved_reference {
        described.insert(
            annotations::RESOLVED_REFERENCE.to_owned(),
            reference.clone(),
        );
    }
    if !signed_by.is_empty() {
        described.insert(annotations::SIGNED_BY.to_owned(), signed_by.join(","));
    }
    // The same component from another place, or signed by another key, is another copy: that one comes before this goes.
    let identity = match described.len() {
        1 => digest,
        _ => Digest::of(format!("{described:?}").as_bytes()),
    };
    let short: String = identity.to_string().chars().take(NAME_DIGITS).collect();
    let name = format!("mcp-plugin-{}-{short}", kept.uid);
    // One of no bytes has a part too.
    let parts: Vec<&[u8]> = match component {
        [] => vec![component],
        _ => component.chunks(PART).collect(),
    };
    let number = parts.len();
    let part = |(index, bytes): (usize, &&[u8])| {
        let (mut name, mut described) = (name.clone(), described.clone());
        if number > 1 {
            let position = format!("{index}/{number}");
            described.insert(annotations::COMPONENT_PART.to_owned(), position);
        }
        if index > 0 {
            name = format!("{name}-{index}");
        }
        manifest(kept, name, described, bytes)
    };
    parts.iter().enumerate().map(part).collect()
}

fn manifest(
    kept: &KeptComponent,
    name: String,
    annotations: BTreeMap<String, String>,
    bytes: &[u8],
) -> ConfigMap {
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
            name: Some(name),
            labels: Some([(labels::PLUGIN_UID, kept.uid.as_str())].map(label).into()),
            annotations: Some(annotations),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        binary_data: Some(BTreeMap::from([(
            KEY.to_owned(),
            ByteString(bytes.to_vec()),
        )])),
        ..ConfigMap::default()
    }
}

#[cfg(test)]
#[path = "component_store_tests.rs"]
mod tests;
