//! Takes back what is an MCPServer's own and has lost its owner.
//!
//! A deletion that orphans and most backup tools leave the objects and take the owner reference; others keep one to an
//! MCPServer that had another uid. The objects carry all our marks ([`is_abandoned`]) and become this server's again as they
//! are: to wait until somebody deletes them, as for objects of others, would be an outage of every server.

use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::owner_reference::{is_abandoned, taken_back};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{ApiError, request};
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use tracing::info;

use crate::cache::ObjectName;
use crate::context::Context;
use crate::create::{find_object, still_exists};
use crate::error::ReconcileError;
use crate::events::record_event;
use crate::server_side_apply::api;

/// What became of the objects that seem to be abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakenBack {
    /// What was abandoned, if anything, is the server's.
    Done,
    /// The MCPServer itself is gone, or another one: nothing is taken for it.
    OwnerDeleted,
}

/// Takes back all abandoned objects of a server, wanted or not: what is not wanted is pruned afterwards like everything that
/// is its own. One that fails keeps no other from it.
///
/// Before the Deployment is compared with what it was: of an abandoned object the cache keeps the marks only.
pub(crate) async fn take_back(
    context: &Context,
    server: &McpServer,
) -> Result<TakenBack, ReconcileError> {
    let abandoned = abandoned(context, server);
    if abandoned.is_empty() {
        return Ok(TakenBack::Done);
    }
    // The controller that an object names may be a successor of this server, which the informer does not show yet.
    if !still_exists(context, server).await? {
        return Ok(TakenBack::OwnerDeleted);
    }
    let takes = abandoned.into_iter().map(|(kind, name)| async move {
        let taken = take_back_one(context, server, kind, &name).await;
        taken.map_err(|error| ReconcileError::about(kind, error))
    });
    let (mut names, mut failure) = (Vec::new(), None);
    for taken in join_all(takes).await {
        match taken {
            Ok(name) => names.extend(name),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if !names.is_empty() {
        let note = format!(
            "{} had no owner any more, or one that is gone, and belong to this MCPServer again",
            names.join(", ")
        );
        record_event(context, server, EventType::Normal, "TakenBack", note).await;
    }
    failure.map_or(Ok(TakenBack::Done), Err)
}

fn abandoned(context: &Context, server: &McpServer) -> Vec<(ManagedKind, ObjectName)> {
    let key = ServerKey::of(server);
    let names = ManagedKind::iter().flat_map(|kind| {
        let names = context.objects.keys_of(kind, &key).into_iter();
        names.map(move |name| (kind, name))
    });
    names
        .filter(|(kind, (namespace, name))| {
            let found = context.objects.get(*kind, namespace, name);
            found.is_some_and(|found| is_abandoned(&found, server))
        })
        .collect()
}

/// Gives the kind and name of the object, unless it is no longer as the cache shows it.
async fn take_back_one(
    context: &Context,
    server: &McpServer,
    kind: ManagedKind,
    (namespace, name): &ObjectName,
) -> Result<Option<String>, ApiError> {
    let found = find_object(context, kind, namespace, name).await?;
    let Some(found) = found.filter(|found| is_abandoned(found, server)) else {
        return Ok(None);
    };
    let Some(owner) = server.controller_owner_ref(&()) else {
        return Ok(None);
    };
    // Of the very object that was looked at, in the state in which it was.
    let patch = json!({ "metadata": {
        "uid": found.uid(), "resourceVersion": found.resource_version(),
        "ownerReferences": taken_back(&found, owner),
        "managedFields": ours(found.managed_fields()),
    } });
    let params = PatchParams {
        field_manager: Some(field_managers::SERVER.into()),
        ..PatchParams::default()
    };
    let api = api(&context.client, kind, namespace);
    let patch: Patch<Value> = Patch::Merge(patch);
    let written: DynamicObject = request(
        || format!("take back {} {namespace}/{name}", kind.name()),
        api.patch(name, &params, &patch),
    )
    .await?;
    info!(kind = kind.name(), namespace, name, "taken back");
    context.objects.record_write(kind, written);
    Ok(Some(format!("{} {name}", kind.name())))
}

/// Whoever made the object anew from a backup holds all its fields, and what two hold stays when one of them gives it up:
/// later changes would leave variables and volumes in the pods that nobody wants any more. So nobody else holds any, except
/// what controllers write into statuses.
fn ours(entries: &[ManagedFieldsEntry]) -> Value {
    let managers = [field_managers::SERVER, field_managers::AUTOSCALING];
    let kept: Vec<_> = entries
        .iter()
        .filter(|entry| {
            let is_of_subresource = entry
                .subresource
                .as_deref()
                .is_some_and(|name| !name.is_empty());
            let manager = entry.manager.as_deref();
            is_of_subresource || manager.is_some_and(|manager| managers.contains(&manager))
        })
        .collect();
    if kept.is_empty() {
        // An empty list would change nothing; this is how the API server is told that nobody holds anything.
        return json!([{}]);
    }
    json!(kept)
}
