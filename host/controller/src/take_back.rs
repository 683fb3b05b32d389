//! Takes back what is an MCPServer's own and has lost its owner.
//!
//! A deletion that orphans and most backup tools leave the objects and take the owner reference; others keep one to an
//! MCPServer that had another uid. The objects carry all our marks ([`is_abandoned`]) and become this server's again as they
//! are: to wait until somebody deletes them, as for objects of others, would be an outage of every server.
//!
//! Whoever gives all these marks to objects that somebody made by hand, and the annotation that says so, has them adopted in the
//! same way ([`adoption`]).

use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use mcp_operator_api::names::field_managers;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::adoption::{self, is_offered};
use mcp_operator_core::build::child_name;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::owner_reference::{belongs_to, is_abandoned, taken_back};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{ApiError, request};
use serde_json::{Value, json};
use strum::IntoEnumIterator;
use tracing::info;

use crate::cache::ObjectName;
use crate::context::Context;
use crate::create::{find_object, still_exists};
use crate::error::{Error, ReconcileError};
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
    // The Service of pods that stay somebody else's would send to them no more.
    let (deployments, others): (Vec<_>, Vec<_>) = abandoned
        .into_iter()
        .partition(|(kind, _)| *kind == ManagedKind::Deployment);
    let mut taken = take_each(context, server, deployments).await;
    match pods_of_others(context, server, &others).await {
        Ok(None) => taken.extend(take_each(context, server, others).await),
        Ok(Some(refused)) => taken.push(Err(refused)),
        Err(error) => taken.push(Err(ReconcileError::about(ManagedKind::Deployment, error))),
    }
    let (mut names, mut failure) = (Vec::new(), None);
    for taken in taken {
        match taken {
            Ok(name) => names.extend(name),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    tell(context, server, names).await;
    failure.map_or(Ok(TakenBack::Done), Err)
}

async fn take_each(
    context: &Context,
    server: &McpServer,
    objects: Vec<(ManagedKind, ObjectName)>,
) -> Vec<Result<Option<Taken>, ReconcileError>> {
    let takes = objects.into_iter().map(|(kind, name)| async move {
        let taken = take_back_one(context, server, kind, &name).await;
        taken.map_err(|error| ReconcileError::about(kind, error))
    });
    join_all(takes).await
}

/// Why nothing may be taken: there are pods of somebody else that use it.
async fn pods_of_others(
    context: &Context,
    server: &McpServer,
    objects: &[(ManagedKind, ObjectName)],
) -> Result<Option<ReconcileError>, ApiError> {
    let Some((kind, (namespace, name))) = objects.first() else {
        return Ok(None);
    };
    let deployment = child_name(&server.name_any());
    let pods = ManagedKind::Deployment;
    let is_ours = |found: &DynamicObject| belongs_to(found, server);
    let known = context.objects.get(pods, namespace, &deployment);
    if known.as_ref().is_some_and(is_ours) {
        return Ok(None);
    }
    let found = find_object(context, pods, namespace, &deployment).await?;
    Ok(found.filter(|found| !belongs_to(found, server)).map(|_| {
        let reason = format!("Deployment {deployment} is not this MCPServer's, and its pods would be without it: offer that too");
        let (kind, name) = (*kind, format!("{namespace}/{name}"));
        let refused = Error::AdoptionRefused { kind: kind.name(), name, reason };
        ReconcileError::about(kind, refused)
    }))
}

/// An object that was taken.
struct Taken {
    /// Its kind and name.
    name: String,
    adopted: bool,
}

async fn tell(context: &Context, server: &McpServer, taken: Vec<Taken>) {
    let (adopted, back): (Vec<_>, Vec<_>) = taken.into_iter().partition(|taken| taken.adopted);
    let names = |taken: Vec<Taken>| {
        let names: Vec<String> = taken.into_iter().map(|taken| taken.name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let told = [
        (
            "TakenBack",
            names(back),
            "had no owner any more, or one that is gone, and belong to this MCPServer again",
        ),
        (
            "Adopted",
            names(adopted),
            "were offered to this MCPServer by who may write them, and belong to it now",
        ),
    ];
    for (reason, names, what) in told {
        if let Some(names) = names {
            let note = format!("{names} {what}");
            record_event(context, server, EventType::Normal, reason, note).await;
        }
    }
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

/// Gives nothing where the object is no longer as the cache shows it.
async fn take_back_one(
    context: &Context,
    server: &McpServer,
    kind: ManagedKind,
    (namespace, name): &ObjectName,
) -> Result<Option<Taken>, Error> {
    let found = find_object(context, kind, namespace, name).await?;
    let Some(found) = found.filter(|found| is_abandoned(found, server)) else {
        return Ok(None);
    };
    let Some(owner) = server.controller_owner_ref(&()) else {
        return Ok(None);
    };
    let adopted = is_offered(&found, &server.name_any());
    if adopted {
        refuse(context, server, kind, (namespace, name)).await?;
    }
    let held = found.managed_fields();
    // Of the very object that was looked at, in the state in which it was.
    let patch = json!({ "metadata": {
        "uid": found.uid(), "resourceVersion": found.resource_version(),
        "ownerReferences": taken_back(&found, owner),
        "managedFields": if adopted { json!(adoption::held_by(held, &kind.api_resource().api_version)) } else { ours(held) },
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
    info!(kind = kind.name(), namespace, name, adopted, "taken back");
    context.objects.record_write(kind, written);
    let name = format!("{} {name}", kind.name());
    Ok(Some(Taken { name, adopted }))
}

/// An error for what cannot be adopted without taking something away from pods or from who calls them.
async fn refuse(
    context: &Context,
    server: &McpServer,
    kind: ManagedKind,
    (namespace, name): (&str, &str),
) -> Result<(), Error> {
    let api = api(&context.client, kind, namespace);
    let found: Option<DynamicObject> = request(
        || format!("get {} {namespace}/{name}", kind.name()),
        api.get_opt(name),
    )
    .await?;
    let found = found.and_then(|found| serde_json::to_value(found).ok());
    let reason = found.and_then(|found| adoption::refusal(kind, &found, &server.name_any()));
    reason.map_or(Ok(()), |reason| {
        let (kind, name) = (kind.name(), format!("{namespace}/{name}"));
        Err(Error::AdoptionRefused { kind, name, reason })
    })
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
