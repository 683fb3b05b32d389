//! One deletion, of the very object that was looked at.

use kube::api::{DeleteParams, DynamicObject, PropagationPolicy};
use kube::{Client, ResourceExt};
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_runtime::{ApiError, delete_by_uid, request};
use tracing::info;

use crate::server_side_apply::api;

/// Deletes an object, unless it is gone or being deleted already. `why` is for the log.
pub(crate) async fn delete(
    client: &Client,
    kind: ManagedKind,
    object: &DynamicObject,
    why: &'static str,
) -> Result<(), ApiError> {
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        ..delete_by_uid(object.uid())
    };
    let api = api(client, kind, &namespace);
    let deleted = request(
        || format!("delete {} {namespace}/{name}", kind.name()),
        api.delete(&name, &params),
    );
    match deleted.await {
        Ok(_) => info!(kind = kind.name(), namespace, name, why, "deleted"),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
