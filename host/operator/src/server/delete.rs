//! One deletion, of the very object that was looked at.

use kube::api::{DeleteParams, DynamicObject, Preconditions, PropagationPolicy};
use kube::{Client, ResourceExt};
use mcp_operator_core::manifest::ManagedKind;
use tracing::info;

use super::patch::api;
use crate::error::Error;

/// Deletes an object, unless it is gone or going already.
pub(super) async fn delete(
    client: &Client,
    kind: ManagedKind,
    object: &DynamicObject,
    why: &'static str,
) -> Result<(), Error> {
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    // By uid: an object that somebody made in the meantime is not the one that was looked at.
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: object.uid(),
            resource_version: None,
        }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match api(client, kind, &namespace).delete(&name, &params).await {
        Ok(_) => info!(kind = kind.name(), namespace, name, why, "deleted"),
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => {
            let action = format!("delete {} {namespace}/{name}", kind.name());
            return Err(Error::api(action, error));
        }
    }
    Ok(())
}
