//! Makes an object where none is yet, and never takes over one of somebody else.

use kube::ResourceExt;
use kube::api::DynamicObject;
use mcp_operator_api::names::SERVER_KIND;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::Manifest;
use mcp_operator_core::status;

use super::context::Context;
use super::patch::{api, patch};
use crate::error::Error;

/// A version that no object has: the API server refuses an apply that names it, except where there is no object.
const OF_NO_OBJECT: &str = "1";

/// Makes an object that the watch does not show.
///
/// It may exist without our label. A forced apply would take it over; this one conflicts, and only then it is looked at.
/// A server that has failed before looks first: what is in the way is not written to again and again.
pub(super) async fn create(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    namespace: &str,
) -> Result<DynamicObject, Error> {
    let found = if context.backoff.has_failed(&status::key(server)) {
        look(context, manifest, namespace).await?
    } else {
        None
    };
    if let Some(found) = found {
        return take(context, server, manifest, namespace, &found).await;
    }
    let mut object = manifest.object.clone();
    object["metadata"]["resourceVersion"] = OF_NO_OBJECT.into();
    let conflict = match patch(&context.client, manifest, &object, namespace).await {
        Err(error) if error.is_conflict() => error,
        result => return result,
    };
    match look(context, manifest, namespace).await? {
        Some(found) => take(context, server, manifest, namespace, &found).await,
        // It was there a moment ago.
        None => Err(conflict),
    }
}

/// Applies to an object that was found, if it is ours: the watch is late, or somebody took our label away.
async fn take(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    namespace: &str,
    found: &impl ResourceExt,
) -> Result<DynamicObject, Error> {
    if !is_ours(found, server) {
        return Err(foreign(manifest, namespace, server, found));
    }
    patch(&context.client, manifest, &manifest.object, namespace).await
}

async fn look(
    context: &Context,
    manifest: &Manifest,
    namespace: &str,
) -> Result<Option<impl ResourceExt>, Error> {
    let api = api(&context.client, manifest.kind, namespace);
    api.get_metadata_opt(manifest.name())
        .await
        .map_err(|error| {
            Error::api(
                format!(
                    "get {} {namespace}/{}",
                    manifest.kind.name(),
                    manifest.name()
                ),
                error,
            )
        })
}

/// Whether the MCPServer is the controller that owns the object.
pub(super) fn is_ours(object: &impl ResourceExt, server: &McpServer) -> bool {
    let uid = server.uid();
    object
        .owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && Some(&owner.uid) == uid.as_ref())
}

/// Why an object that is not ours is not touched.
pub(super) fn foreign(
    manifest: &Manifest,
    namespace: &str,
    server: &McpServer,
    found: &impl ResourceExt,
) -> Error {
    let kind = manifest.kind.name();
    let name = format!("{namespace}/{}", manifest.name());
    let is_of_namesake = found.owner_references().iter().any(|owner| {
        owner.controller == Some(true)
            && owner.kind == SERVER_KIND
            && Some(&owner.name) == server.metadata.name.as_ref()
    });
    if is_of_namesake {
        Error::LeftBehind { kind, name }
    } else {
        Error::ForeignObject { kind, name }
    }
}
