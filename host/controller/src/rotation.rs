//! Replaces pods when a Secret that they read has changed.

use kube::Resource;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::{ManagedKind, Mutated, Objects};
use mcp_operator_core::rotation::{self, HashedFor};
use mcp_operator_core::server_key::ServerKey;

use crate::context::Context;

/// Stamps the Deployment with the hashes of the Secrets that its pods read, so that a change of one replaces the pods.
pub(crate) fn stamp_secret_hashes(
    context: &Context,
    server: &McpServer,
    objects: &mut Objects<Mutated>,
) {
    let (Some(uid), Some(deployment)) = (
        &server.meta().uid,
        objects.of_kind_mut(ManagedKind::Deployment).next(),
    ) else {
        return;
    };
    if !rotation::reads_secrets(&deployment.object) {
        return;
    }
    let key = ServerKey::of(server);
    let live = context
        .objects
        .get(ManagedKind::Deployment, &key.namespace, deployment.name());
    let known = context.secret_hashes.of(&key);
    rotation::stamp(
        &mut deployment.object,
        live.as_ref(),
        known.as_ref(),
        &context.settings.hash_key,
        &HashedFor {
            server: &key.to_string(),
            uid,
        },
    );
}
