//! The objects that an MCPServer becomes: their kinds, and how far each of them has come on its way to the API server.

use std::marker::PhantomData;
use std::slice;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use kube::core::{ApiResource, GroupVersionKind};
use serde::Serialize;
use serde_json::Value;
use strum::{EnumIter, IntoStaticStr};
use thiserror::Error;

use crate::ssa_diff;

/// A kind of object that the operator makes, in the order in which objects are applied: what a pod
/// needs to start comes before the Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, IntoStaticStr)]
pub enum ManagedKind {
    /// Identity of the pods.
    ServiceAccount,
    /// Configuration that is not secret.
    ConfigMap,
    /// What External Secrets makes the Secrets from, where its API is installed.
    ExternalSecret,
    /// Address of the pods.
    Service,
    /// How many pods may be away at a time.
    PodDisruptionBudget,
    /// Who may reach the pods and what they may reach: before there are any.
    NetworkPolicy,
    /// What tells Prometheus to scrape the pods, where the API of its operator is installed.
    ServiceMonitor,
    /// The pods.
    Deployment,
    /// The number of pods, by load: it needs a Deployment to look at.
    HorizontalPodAutoscaler,
}

impl ManagedKind {
    /// Name of the kind, as in manifests.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Group, version and plural, as the client needs them.
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => resource::<ServiceAccount>(),
            Self::ConfigMap => resource::<ConfigMap>(),
            Self::Service => resource::<Service>(),
            Self::PodDisruptionBudget => resource::<PodDisruptionBudget>(),
            Self::NetworkPolicy => resource::<NetworkPolicy>(),
            Self::HorizontalPodAutoscaler => resource::<HorizontalPodAutoscaler>(),
            Self::Deployment => resource::<Deployment>(),
            Self::ExternalSecret => foreign("external-secrets.io", "v1", self.name()),
            Self::ServiceMonitor => foreign("monitoring.coreos.com", "v1", self.name()),
        }
    }

    /// Whether its API comes from somebody else, and may not be there, or not yet, or no longer.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::ExternalSecret | Self::ServiceMonitor)
    }

    /// Whether an MCPServer can have several: ConfigMaps of older templates, a ServiceMonitor while it moves to another
    /// namespace. Of every other kind it has one at most, in its own namespace and of a name that follows from its own.
    pub fn can_be_several(self) -> bool {
        matches!(
            self,
            Self::ConfigMap | Self::ExternalSecret | Self::ServiceMonitor
        )
    }

    /// Whether pods read it, or what is made of it, whenever one of their containers starts.
    pub fn is_read_by_pods(self) -> bool {
        matches!(self, Self::ConfigMap | Self::ExternalSecret)
    }

    /// Whether no pod may start without it: it could not, or nothing would isolate it.
    pub fn is_needed_by_pods(self) -> bool {
        matches!(
            self,
            Self::ServiceAccount | Self::ConfigMap | Self::NetworkPolicy
        )
    }
}

fn foreign(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

fn resource<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// An object that should exist, complete as it is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Also in the object itself, there as text.
    pub kind: ManagedKind,
    /// The object as JSON: what plugins complete, and what is applied.
    pub object: Value,
}

/// An object that cannot become a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} cannot be built: {reason}", .kind.name())]
pub struct BuildError {
    /// Which of the objects it is.
    pub kind: ManagedKind,
    /// A sentence without the kind.
    pub reason: String,
}

impl Manifest {
    /// Makes a manifest from a typed object.
    ///
    /// # Errors
    /// When the object cannot be written as JSON.
    pub fn new(kind: ManagedKind, object: &impl Serialize) -> Result<Self, BuildError> {
        let object = serde_json::to_value(object).map_err(|error| BuildError {
            kind,
            reason: error.to_string(),
        })?;
        Ok(Self { kind, object })
    }

    /// Name of the object.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Namespace of the object: that of its MCPServer, except for a ServiceMonitor that is kept elsewhere.
    pub fn namespace(&self) -> &str {
        self.object["metadata"]["namespace"]
            .as_str()
            .unwrap_or_default()
    }
}

/// Stage of [`Objects`] that were built from a specification alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {}

/// Stage of [`Objects`] that plugins have completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutated {}

/// Stage of [`Objects`] that the API server has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {}

/// All objects of one MCPServer, in the order in which they are applied.
///
/// The stage says what has been done with them, so that objects that no plugin has completed cannot be applied by mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects<Stage> {
    manifests: Vec<Manifest>,
    stage: PhantomData<Stage>,
}

impl<Stage> Objects<Stage> {
    /// All objects, in the order in which they are applied.
    pub fn iter(&self) -> slice::Iter<'_, Manifest> {
        self.manifests.iter()
    }

    fn in_stage(manifests: Vec<Manifest>) -> Self {
        Self {
            manifests,
            stage: PhantomData,
        }
    }
}

impl<'a, Stage> IntoIterator for &'a Objects<Stage> {
    type Item = &'a Manifest;
    type IntoIter = slice::Iter<'a, Manifest>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Objects<Built> {
    /// For [`crate::build::objects`] only.
    pub(crate) fn built(mut manifests: Vec<Manifest>) -> Self {
        manifests.sort_by_key(|manifest| manifest.kind);
        Self::in_stage(manifests)
    }

    /// The objects as plugins are given them.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|manifest| &manifest.object)
    }

    /// The same objects with what plugins added, in the same order. Members that are null are left out: an apply would own
    /// them.
    ///
    /// # Errors
    /// When these are not the same objects: the operator would apply something that it never prunes.
    pub fn mutated(self, completed: Vec<Value>) -> Result<Objects<Mutated>, BuildError> {
        let count = self.manifests.len();
        if completed.len() != count {
            let first = self
                .manifests
                .get(completed.len())
                .or(self.manifests.last());
            return Err(BuildError {
                kind: first.map_or(ManagedKind::Deployment, |manifest| manifest.kind),
                reason: format!(
                    "plugins were given {count} objects and left {}",
                    completed.len()
                ),
            });
        }
        let mutated = self.manifests.into_iter().zip(completed);
        let manifests = mutated.map(|(manifest, mut object)| {
            if let Some(member) = changed_identity(&manifest.object, &object) {
                return Err(BuildError {
                    kind: manifest.kind,
                    reason: format!("a plugin changed its {member}"),
                });
            }
            ssa_diff::without_nulls(&mut object);
            let kind = manifest.kind;
            Ok(Manifest { kind, object })
        });
        Ok(Objects::in_stage(manifests.collect::<Result<_, _>>()?))
    }
}

impl Objects<Mutated> {
    /// Those of a kind, for what only the cluster can tell of them.
    pub fn of_kind_mut(&mut self, kind: ManagedKind) -> impl Iterator<Item = &mut Manifest> {
        let all = self.manifests.iter_mut();
        all.filter(move |manifest| manifest.kind == kind)
    }

    /// Notes that the API server has accepted all of them. Called by the apply step only.
    pub fn into_applied(self) -> Objects<Applied> {
        Objects::in_stage(self.manifests)
    }
}

/// The member by which the API server would take `after` for another object than `before`.
fn changed_identity(before: &Value, after: &Value) -> Option<&'static str> {
    let members = [
        ("kind", "/kind"),
        ("apiVersion", "/apiVersion"),
        ("name", "/metadata/name"),
        ("namespace", "/metadata/namespace"),
    ];
    let changed = |path: &str| before.pointer(path) != after.pointer(path);
    members
        .into_iter()
        .find_map(|(member, path)| changed(path).then_some(member))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn objects() -> Objects<Built> {
        let object = |kind: &str| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "mcp-a", "namespace": "tools" } });
        let manifest = |kind: ManagedKind| Manifest::new(kind, &object(kind.name())).unwrap();
        let kinds = [ManagedKind::Deployment, ManagedKind::Service];
        Objects::built(kinds.map(manifest).to_vec())
    }

    fn mutated(change: impl FnOnce(&mut Vec<Value>)) -> Result<Objects<Mutated>, String> {
        let mut completed: Vec<Value> = objects().values().cloned().collect();
        change(&mut completed);
        objects()
            .mutated(completed)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn plugins_add_to_objects_in_the_order_of_applying() {
        let mutated = mutated(|completed| {
            completed[0]["spec"] = json!({ "clusterIP": null, "type": "ClusterIP" });
        })
        .unwrap();
        let kinds: Vec<_> = mutated.iter().map(|manifest| manifest.kind).collect();
        assert_eq!(kinds, [ManagedKind::Service, ManagedKind::Deployment]);
        let service = mutated.iter().next().unwrap();
        assert_eq!(service.object["spec"], json!({ "type": "ClusterIP" }));
    }

    #[test]
    fn plugins_neither_exchange_nor_add_nor_remove_objects() {
        for (path, member) in [
            ("/kind", "kind"),
            ("/apiVersion", "apiVersion"),
            ("/metadata/name", "name"),
            ("/metadata/namespace", "namespace"),
        ] {
            let result = mutated(|completed| {
                *completed[1].pointer_mut(path).unwrap() = json!("other");
            });
            assert_eq!(
                result.unwrap_err(),
                format!("Deployment cannot be built: a plugin changed its {member}")
            );
        }
        assert_eq!(
            mutated(|completed| completed.truncate(1)).unwrap_err(),
            "Deployment cannot be built: plugins were given 2 objects and left 1"
        );
        assert!(mutated(|completed| completed.push(json!({}))).is_err());
    }
}
