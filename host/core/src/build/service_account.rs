//! ServiceAccount: the identity of the pods, in the cluster and (IRSA) in AWS.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::metadata::object_meta;
use crate::validated_server::ValidatedServer;

/// Annotation that is read by the EKS pod identity webhook, which gives pods a token of their own for AWS.
pub const IAM_ROLE: &str = "eks.amazonaws.com/role-arn";

pub(super) fn build(server: &ValidatedServer) -> ServiceAccount {
    let role = server
        .spec
        .aws
        .as_ref()
        .and_then(|aws| aws.iam_role.clone());
    let annotations = role.map(|role| BTreeMap::from([(IAM_ROLE.to_owned(), role)]));
    ServiceAccount {
        metadata: ObjectMeta {
            annotations,
            ..object_meta(server)
        },
        // An MCP server does not need the Kubernetes API. For AWS, the EKS webhook mounts a token of its own.
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
