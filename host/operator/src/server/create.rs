//! Makes an object where none is yet, and never takes over one of somebody else.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::SERVER_KIND;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::Manifest;
use mcp_operator_core::owner::{Owner, belongs_to};
use mcp_operator_core::status;

use super::context::Context;
use super::patch::{api, patch};
use crate::error::Error;

/// A version that no object has: the API server refuses an apply that names it, except where there is no object.
const OF_NO_OBJECT: &str = "1";

/// Makes an object that the watch does not show. Nothing is made for an MCPServer that is gone.
///
/// It may exist without our label. A forced apply would take it over; this one conflicts, and only then it is looked at.
/// A server that has failed before looks first: what is in the way is not written to again and again.
pub(super) async fn create(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
) -> Result<Option<DynamicObject>, Error> {
    if was_reconciled(server) && !is_still_there(context, server).await? {
        return Ok(None);
    }
    make(context, server, manifest).await.map(Some)
}

/// An object of such a server was deleted: by somebody, or because the server was and its watch is late.
fn was_reconciled(server: &McpServer) -> bool {
    let status = server.status.as_ref();
    status.is_some_and(|status| status.observed_generation.is_some())
}

/// Asks the API server itself, as Kubernetes' own controllers do before they adopt: what is made for an owner that is
/// gone is deleted by the garbage collector, and would be made again until the watch shows it.
async fn is_still_there(context: &Context, server: &McpServer) -> Result<bool, Error> {
    let namespace = server.namespace().unwrap_or_default();
    let found = find_server(&context.client, &namespace, &server.name_any()).await?;
    Ok(found.is_some_and(|found| {
        found.uid == server.metadata.uid && found.deletion_timestamp.is_none()
    }))
}

/// The MCPServer of this name as the API server knows it, which no watch is ahead of.
pub(super) async fn find_server(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<ObjectMeta>, Error> {
    let api: Api<McpServer> = Api::namespaced(client.clone(), namespace);
    let found = api
        .get_metadata_opt(name)
        .await
        .map_err(|error| Error::api(format!("get {SERVER_KIND} {namespace}/{name}"), error))?;
    Ok(found.map(|found| found.metadata))
}

async fn make(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
) -> Result<DynamicObject, Error> {
    let found = if context.memory.backoff.has_failed(&status::key(server)) {
        look(context, manifest).await?
    } else {
        None
    };
    if let Some(found) = found {
        return take(context, server, manifest, &found).await;
    }
    let mut object = manifest.object.clone();
    object["metadata"]["resourceVersion"] = OF_NO_OBJECT.into();
    let conflict = match patch(&context.client, manifest, &object, manifest.namespace()).await {
        Err(error) if error.is_conflict() => error,
        result => return result,
    };
    match look(context, manifest).await? {
        Some(found) => take(context, server, manifest, &found).await,
        // It was there a moment ago.
        None => Err(conflict),
    }
}

/// Applies to an object that was found, if it is ours: the watch is late, or somebody took our label away.
async fn take(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    found: &impl ResourceExt,
) -> Result<DynamicObject, Error> {
    if !belongs_to(found, server) {
        return Err(foreign(manifest, server, found));
    }
    let (client, namespace) = (&context.client, manifest.namespace());
    patch(client, manifest, &manifest.object, namespace).await
}

async fn look(context: &Context, manifest: &Manifest) -> Result<Option<impl ResourceExt>, Error> {
    let (kind, namespace, name) = (manifest.kind, manifest.namespace(), manifest.name());
    let found = api(&context.client, kind, namespace)
        .get_metadata_opt(name)
        .await;
    found.map_err(|error| Error::api(format!("get {} {namespace}/{name}", kind.name()), error))
}

/// Why an object that is not ours is not touched.
pub(super) fn foreign(manifest: &Manifest, server: &McpServer, found: &impl ResourceExt) -> Error {
    let kind = manifest.kind.name();
    let name = format!("{}/{}", manifest.namespace(), manifest.name());
    let is_of_namesake = Owner::of(found).is_some_and(|owner| {
        Some(owner.name) == server.metadata.name && Some(owner.namespace) == server.namespace()
    });
    if is_of_namesake {
        Error::LeftBehind { kind, name }
    } else {
        Error::ForeignObject { kind, name }
    }
}
