//! The resources that a server has.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Resource;
use kube::core::ApiResource;
use mcp_operator_api::v1alpha1::{McpPlugin, McpServer};
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::report;
use strum::IntoEnumIterator;

/// A resource: how its objects are addressed, and what the server does with them.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what a resource has is independent of what else it has"
)]
pub struct ResourceType {
    /// Group, version, kind and plural.
    pub api: ApiResource,
    /// Whether objects are in namespaces.
    pub namespaced: bool,
    /// Whether the status is written through a subresource, and through it alone.
    pub has_status: bool,
    /// Whether `metadata.generation` counts changes of the specification.
    pub has_generation: bool,
    /// Whether a definition brings it, and not Kubernetes itself.
    pub is_custom: bool,
    /// Whether its objects are questions, such as SubjectAccessReviews: what [`ApiServer::admit`](crate::ApiServer::admit) makes
    /// of one is the answer, and nothing is stored.
    pub is_review: bool,
    /// Whether it is there now.
    pub served: bool,
    /// Of a custom resource, the lists that are maps: path with dots, and keys.
    pub(crate) list_maps: Vec<(&'static str, &'static [&'static str])>,
}

impl ResourceType {
    /// A namespaced resource of Kubernetes itself.
    pub fn built_in(api: ApiResource) -> Self {
        Self {
            api,
            namespaced: true,
            has_status: false,
            has_generation: false,
            is_custom: false,
            is_review: false,
            served: true,
            list_maps: Vec::new(),
        }
    }

    /// A namespaced resource that a definition brings: with a status subresource, and conditions in it.
    pub fn custom(api: ApiResource) -> Self {
        Self {
            has_status: true,
            has_generation: true,
            is_custom: true,
            ..Self::built_in(api)
        }
    }

    /// The same with a status subresource.
    #[must_use]
    pub fn with_status(self) -> Self {
        Self {
            has_status: true,
            ..self
        }
    }

    /// The same with a generation.
    #[must_use]
    pub fn with_generation(self) -> Self {
        Self {
            has_generation: true,
            ..self
        }
    }

    /// The same for questions that are answered, and not stored.
    #[must_use]
    pub fn answered(self) -> Self {
        Self {
            is_review: true,
            ..self
        }
    }

    /// The same for all of the cluster.
    #[must_use]
    pub fn cluster_scoped(self) -> Self {
        Self {
            namespaced: false,
            ..self
        }
    }

    /// The same with `x-kubernetes-list-type: map` at a path such as `spec.env`.
    #[must_use]
    pub fn with_list_map(mut self, path: &'static str, keys: &'static [&'static str]) -> Self {
        self.list_maps.push((path, keys));
        self
    }

    /// The resource as messages name it: `deployments.apps`.
    pub(crate) fn qualified(&self) -> String {
        if self.api.group.is_empty() {
            self.api.plural.clone()
        } else {
            format!("{}.{}", self.api.plural, self.api.group)
        }
    }
}

/// What every server has from the start: the kinds that the operator makes, reads and watches.
pub(crate) fn defaults() -> Vec<ResourceType> {
    let mut resources: Vec<ResourceType> = ManagedKind::iter().map(managed).collect();
    resources.extend([
        ResourceType::custom(ApiResource::erase::<McpServer>(&()))
            .with_list_map("spec.env", &["name"])
            .with_list_map("spec.secrets", &["name"])
            .with_list_map("status.conditions", &["type"]),
        ResourceType::custom(ApiResource::erase::<McpPlugin>(&()))
            .cluster_scoped()
            .with_list_map("spec.connections", &["name"])
            .with_list_map("status.conditions", &["type"]),
        ResourceType::custom(report::api_resource()),
        of::<Namespace>().with_status().cluster_scoped(),
        of::<Pod>().with_status(),
        of::<Secret>(),
        of::<Event>(),
        of::<Lease>(),
        of::<ReplicaSet>().with_status().with_generation(),
        of::<CustomResourceDefinition>()
            .with_status()
            .with_generation()
            .cluster_scoped(),
    ]);
    resources
}

fn of<K: Resource<DynamicType = ()>>() -> ResourceType {
    ResourceType::built_in(ApiResource::erase::<K>(&()))
}

fn managed(kind: ManagedKind) -> ResourceType {
    let api = kind.api_resource();
    match kind {
        ManagedKind::ServiceAccount | ManagedKind::ConfigMap => ResourceType::built_in(api),
        ManagedKind::Service | ManagedKind::HorizontalPodAutoscaler => {
            ResourceType::built_in(api).with_status()
        }
        ManagedKind::NetworkPolicy => ResourceType::built_in(api).with_generation(),
        ManagedKind::PodDisruptionBudget | ManagedKind::Deployment => {
            ResourceType::built_in(api).with_status().with_generation()
        }
        ManagedKind::ExternalSecret | ManagedKind::ServiceMonitor => ResourceType::custom(api),
    }
}
