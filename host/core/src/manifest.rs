//! The kinds of objects that an MCPServer becomes.

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

    /// Whether an MCPServer can have several: a ServiceMonitor too, while it moves to another namespace. Of every other
    /// kind it has one at most, in its own namespace and of a name that follows from its own.
    pub fn can_be_several(self) -> bool {
        matches!(self, Self::ExternalSecret | Self::ServiceMonitor)
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
    /// Kind of the object.
    pub kind: ManagedKind,
    /// The object.
    pub object: Value,
}

impl Manifest {
    /// Takes a typed object over.
    pub(crate) fn new(kind: ManagedKind, object: impl Serialize) -> Self {
        // The types are plain data with text for keys: nothing in them can fail to become JSON.
        Self {
            kind,
            object: serde_json::to_value(object).unwrap_or_default(),
        }
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
