//! An MCPServer of which everything is known that its objects are built from.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use mcp_operator_api::v1alpha1::{Image, McpServer, McpServerSpec, Remote};

use crate::build;
use crate::field::{ErrorType, FieldError};
use crate::remote;
use crate::server_key::ServerKey;

/// Where a server runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Backend {
    /// In pods of this cluster, from this image.
    Workload(Image),
    /// Elsewhere.
    Remote(Remote),
}

/// An MCPServer that objects can be built from: what could be missing or wrong was checked by [`ValidatedServer::parse`],
/// so that no builder can fail.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedServer {
    /// Neither part of the key is empty.
    pub key: ServerKey,
    /// Absent until the API server has stored the MCPServer.
    pub uid: Option<String>,
    /// The labels that the user gave the MCPServer.
    pub labels: BTreeMap<String, String>,
    /// Makes the MCPServer the controller of its objects. Absent without a uid.
    pub owner_reference: Option<OwnerReference>,
    /// The specification, with all defaults.
    pub spec: McpServerSpec,
    /// Where it runs: what no builder has to find out from the specification.
    pub backend: Backend,
    /// `spec.config` as a YAML document. Absent where there is no configuration.
    pub(crate) config_file: Option<String>,
}

impl ValidatedServer {
    /// Checks what the builders depend on. An MCPServer that has no name yet, as in mutating admission, goes by its
    /// `generateName`.
    ///
    /// # Errors
    /// The fields that objects cannot be built from.
    pub fn parse(server: &McpServer) -> Result<Self, Vec<FieldError>> {
        let key = ServerKey::of(server);
        if key.name.is_empty() {
            return Err(required(
                "metadata.name",
                "name or generateName is required",
            ));
        }
        if key.namespace.is_empty() {
            return Err(required(
                "metadata.namespace",
                "an MCPServer is in a namespace",
            ));
        }
        let policy = server.spec.network_policy.iter();
        let egress = policy.flat_map(|policy| &policy.egress);
        let mut errors = build::egress_errors(egress.map(|rule| Some(rule.cidr.as_str())));
        errors.extend(build::node_selector_errors(
            server.spec.node_selector.keys(),
        ));
        let config_file = build::config_file(&server.spec.config).unwrap_or_else(|found| {
            errors.extend(found);
            None
        });
        errors.extend(remote::errors(&server.spec));
        let backend = match (&server.spec.image, &server.spec.remote) {
            (_, Some(remote)) => Backend::Remote(remote.clone()),
            (Some(image), None) => Backend::Workload(image.clone()),
            (None, None) => {
                let message =
                    "an image is required, or spec.remote for a server that runs elsewhere";
                errors.extend(required("spec.image", message));
                return Err(errors);
            }
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        // Deleting an MCPServer in the foreground waits until its objects are gone.
        let owner_reference = server
            .controller_owner_ref(&())
            .map(|owner| OwnerReference {
                block_owner_deletion: Some(true),
                ..owner
            });
        Ok(Self {
            key,
            uid: server.uid(),
            labels: server.labels().clone(),
            owner_reference,
            backend,
            config_file,
            spec: server.spec.clone(),
        })
    }
}

fn required(field: &str, message: &str) -> Vec<FieldError> {
    vec![FieldError {
        field: field.into(),
        error_type: ErrorType::Required,
        bad_value: None,
        message: message.into(),
        code: "metadata".into(),
    }]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(metadata: &Value) -> Result<ValidatedServer, String> {
        let server: McpServer = serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": metadata, "spec": { "image": { "repository": "acme/mcp" } },
        }))
        .unwrap();
        ValidatedServer::parse(&server).map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn name_and_namespace_are_required() {
        assert_eq!(
            parse(&json!({ "namespace": "tools" })).unwrap_err(),
            "metadata.name: Required value: name or generateName is required"
        );
        assert_eq!(
            parse(&json!({ "name": "github" })).unwrap_err(),
            "metadata.namespace: Required value: an MCPServer is in a namespace"
        );
    }

    #[test]
    fn a_server_is_here_or_elsewhere() {
        let parse = |spec: Value| {
            let server: McpServer = serde_json::from_value(json!({
                "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
                "metadata": { "name": "a", "namespace": "tools" }, "spec": spec,
            }))
            .unwrap();
            let parsed = ValidatedServer::parse(&server);
            parsed
                .map(|parsed| parsed.backend)
                .map_err(|errors| errors[0].to_string())
        };
        let url = "https://mcp.example.com/mcp".to_owned();
        let remote = json!({ "url": url });
        assert_eq!(
            parse(json!({ "remote": remote })),
            Ok(Backend::Remote(Remote { url }))
        );
        assert_eq!(
            parse(json!({ "remote": remote, "image": { "repository": "acme/mcp" } })).unwrap_err(),
            "spec.image: Forbidden: excludes spec.remote: keep the one that says where the server runs"
        );
        assert_eq!(
            parse(json!({})).unwrap_err(),
            "spec.image: Required value: an image is required, or spec.remote for a server that runs elsewhere"
        );
    }

    #[test]
    fn a_server_without_a_uid_owns_nothing_yet() {
        let new = parse(&json!({ "generateName": "github-", "namespace": "tools" })).unwrap();
        assert_eq!(new.key, ServerKey::new("tools", "github-"));
        assert_eq!((new.uid, new.owner_reference), (None, None));
        let stored = json!({ "name": "github", "namespace": "tools", "uid": "8f2b" });
        let owner = parse(&stored).unwrap().owner_reference.unwrap();
        assert_eq!(
            (owner.name.as_str(), owner.uid.as_str()),
            ("github", "8f2b")
        );
        assert_eq!(owner.block_owner_deletion, Some(true));
    }
}
