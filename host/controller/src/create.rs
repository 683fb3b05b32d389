//! Creates an object, and never takes over one of somebody else.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::SERVER_KIND;
use mcp_operator_api::v1alpha1::{McpServer, McpServerStatus};
use mcp_operator_core::manifest::{ManagedKind, Manifest};
use mcp_operator_core::owner_reference::{Owner, belongs_to};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{ApiError, request};

use crate::context::Context;
use crate::error::Error;
use crate::requeue::Attempt;
use crate::server_side_apply::{api, path, server_side_apply};

/// A resourceVersion that no object has: the API server refuses an apply that names it, except where there is no object. A
/// plain create would have another field manager than the applies that follow.
pub(crate) const VERSION_OF_NO_OBJECT: &str = "1";

/// Creates an object that the cache does not show. Gives nothing where the MCPServer is gone: then nothing is created.
///
/// The object may exist without our label. A forced apply would take it over; this one conflicts, and only then the object
/// is looked at. A retry looks first, so that what is in the way is not written to again and again.
pub(crate) async fn create(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    attempt: &Attempt,
) -> Result<Option<DynamicObject>, Error> {
    if was_reconciled(server) && !still_exists(context, server).await? {
        return Ok(None);
    }
    create_or_adopt(context, server, manifest, attempt)
        .await
        .map(Some)
}

/// An object of a server that was reconciled before was deleted: by somebody, or by the garbage collector because the server
/// was, which the informer does not show yet.
fn was_reconciled(server: &McpServer) -> bool {
    let status = server.status.as_ref();
    status.is_some_and(McpServerStatus::is_written)
}

/// Asks the API server itself, as Kubernetes' own controllers do before they adopt: what is made for an owner that is
/// gone is deleted by the garbage collector, and would be made again until the watch shows it.
pub(crate) async fn still_exists(context: &Context, server: &McpServer) -> Result<bool, Error> {
    let found = find_server(&context.client, &ServerKey::of(server)).await?;
    Ok(found.is_some_and(|found| {
        found.uid == server.metadata.uid && found.deletion_timestamp.is_none()
    }))
}

/// The metadata of an MCPServer as the API server knows it, which no watch is ahead of.
pub(crate) async fn find_server(
    client: &Client,
    server: &ServerKey,
) -> Result<Option<ObjectMeta>, ApiError> {
    let api: Api<McpServer> = Api::namespaced(client.clone(), &server.namespace);
    let found = request(
        || format!("get {SERVER_KIND} {server}"),
        api.get_metadata_opt(&server.name),
    )
    .await?;
    Ok(found.map(|found| found.metadata))
}

async fn create_or_adopt(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    attempt: &Attempt,
) -> Result<DynamicObject, Error> {
    let found = if attempt.is_retry {
        find(context, manifest).await?
    } else {
        None
    };
    if let Some(found) = found {
        return adopt(context, server, manifest, &found).await;
    }
    let mut object = manifest.object.clone();
    object["metadata"]["resourceVersion"] = VERSION_OF_NO_OBJECT.into();
    let conflict = match server_side_apply(&context.client, manifest, &object).await {
        Err(error) if error.is_conflict() => error,
        result => return Ok(result?),
    };
    match find(context, manifest).await? {
        Some(found) => adopt(context, server, manifest, &found).await,
        // It was there a moment ago.
        None => Err(conflict.into()),
    }
}

/// Applies to an object that was found, if it is ours: the watch is late, or somebody took our label away.
async fn adopt(
    context: &Context,
    server: &McpServer,
    manifest: &Manifest,
    found: &impl ResourceExt,
) -> Result<DynamicObject, Error> {
    if !belongs_to(found, server) {
        return Err(foreign(manifest, server, found));
    }
    Ok(server_side_apply(&context.client, manifest, &manifest.object).await?)
}

/// The metadata of the object of a manifest as the API server knows it.
pub(crate) async fn find(
    context: &Context,
    manifest: &Manifest,
) -> Result<Option<PartialObjectMeta<DynamicObject>>, ApiError> {
    let (namespace, name) = (manifest.namespace(), manifest.name());
    find_object(context, manifest.kind, namespace, name).await
}

/// The metadata of an object as the API server knows it.
pub(crate) async fn find_object(
    context: &Context,
    kind: ManagedKind,
    namespace: &str,
    name: &str,
) -> Result<Option<PartialObjectMeta<DynamicObject>>, ApiError> {
    let api = api(&context.client, kind, namespace);
    request(
        || format!("get {} {namespace}/{name}", kind.name()),
        api.get_metadata_opt(name),
    )
    .await
}

/// Why an object that is not ours is not touched.
pub(crate) fn foreign(manifest: &Manifest, server: &McpServer, found: &impl ResourceExt) -> Error {
    let kind = manifest.kind.name();
    let name = path(manifest);
    let is_of_namesake = Owner::of(found).is_some_and(|owner| {
        Some(owner.name) == server.metadata.name && Some(owner.namespace) == server.namespace()
    });
    if is_of_namesake {
        Error::LeftBehind { kind, name }
    } else {
        Error::ForeignObject { kind, name }
    }
}
