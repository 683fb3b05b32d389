//! What the tests of all commands begin with.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::ApiResource;
use mcp_testkit::objects::namespace;
use mcp_testkit::{ApiServer, ResourceType};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::view::Style;

pub(crate) const PLAIN: Style = Style::PLAIN;

/// An API server, and a cluster of it.
pub(crate) struct TestCluster {
    pub(crate) api: ApiServer,
}

impl TestCluster {
    /// Without objects but the namespaces.
    pub(crate) fn new() -> Self {
        let api = ApiServer::new();
        let of_cluster = [
            ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
            ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            ApiResource::erase::<ValidatingAdmissionPolicy>(&()),
            ApiResource::erase::<ValidatingAdmissionPolicyBinding>(&()),
        ];
        for resource in of_cluster {
            api.register(ResourceType::built_in(resource).cluster_scoped());
        }
        let review = ApiResource::erase::<SubjectAccessReview>(&());
        api.register(ResourceType::built_in(review).cluster_scoped().answered());
        api.register(ResourceType::built_in(ApiResource::erase::<EndpointSlice>(
            &(),
        )));
        for name in ["tools", "litellm", "mcp-operator-system"] {
            api.put(namespace(name, &[("kubernetes.io/metadata.name", name)]));
        }
        Self { api }
    }

    pub(crate) fn cluster(&self) -> Cluster {
        Cluster {
            client: self.api.client(),
            namespace: "tools".into(),
            operator_namespace: "mcp-operator-system".into(),
        }
    }
}

/// A condition whose message is its reason.
pub(crate) fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": format!("{reason}!"),
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
    })
}
