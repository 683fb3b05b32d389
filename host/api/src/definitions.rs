//! The custom resource definitions, with all of their versions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use kube::core::crd::merge_crds;

use crate::v1alpha1::McpPlugin;
use crate::{v1alpha1, v1beta1};

/// The version of MCPServers that is stored, and always served. Everything that works on them without saying a version
/// takes the newest that is served: `kubectl`, the deletion of namespaces, the garbage collector. Where that is not the
/// version that is stored, all of them need the conversion webhook; so the newer one is served only where somebody asks for
/// it, until it is the one that is stored.
pub const STORED_VERSION: &str = "v1alpha1";

/// The version that is served if somebody asks for it.
pub const OPTIONAL_VERSION: &str = "v1beta1";

/// Both definitions; `serves_beta`: MCPServers also in `v1beta1`.
pub fn all(serves_beta: bool) -> [CustomResourceDefinition; 2] {
    [servers(serves_beta), McpPlugin::crd()]
}

/// That of MCPServers.
fn servers(serves_beta: bool) -> CustomResourceDefinition {
    let alpha = v1alpha1::McpServer::crd();
    let versions = vec![alpha.clone(), v1beta1::McpServer::crd()];
    // They differ in nothing that would keep them apart, as a test shows.
    let mut merged = merge_crds(versions, STORED_VERSION).unwrap_or(alpha);
    for version in &mut merged.spec.versions {
        version.served = version.name == STORED_VERSION || serves_beta;
    }
    merged
}

#[cfg(test)]
#[path = "definitions_tests.rs"]
mod tests;
