//! Deletes what MCPServers that are gone have left in other namespaces: no owner reference reaches there, so the garbage
//! collector does not know of it.
//!
//! A finalizer would do as well while the operator is there; without it, no MCPServer could be deleted, and no namespace
//! with one. So orphans are looked for instead: whenever a server is reconciled, and whenever the controller is asked for
//! one that does not exist (its deletion, a watch of objects at its start, an object that comes too late).

use futures::future::join_all;
use futures::{StreamExt, stream};
use kube::api::DynamicObject;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::owner_reference::Owner;
use mcp_operator_core::retry::Classify;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{ApiError, Priority, WorkQueue, jitter};
use strum::IntoEnumIterator;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::cache::ObjectCache;
use crate::context::Context;
use crate::create::find_server;
use crate::delete::delete;
use crate::error::ReconcileError;

/// Deletes the orphans of servers that are not there, until `shutdown`; deletions that are going on are finished.
pub(crate) async fn run(
    context: &Context,
    absent: &WorkQueue<ServerKey>,
    shutdown: CancellationToken,
) {
    stream::unfold((), |()| async { Some((absent.next().await, ())) })
        .take_until(shutdown.cancelled_owned())
        .for_each_concurrent(usize::from(context.settings.concurrency), |server| {
            delete_orphans_of_absent(context, absent, server)
        })
        .await;
}

async fn delete_orphans_of_absent(
    context: &Context,
    absent: &WorkQueue<ServerKey>,
    server: ServerKey,
) {
    let Err(error) = delete_orphans(context, &server, None).await else {
        context.backoff.reset(&server);
        return;
    };
    let class = error.class();
    let pause = context.backoff.after_failure(&server, class, jitter());
    warn!(%server, category = error.category(), class = <&str>::from(class), retry_in = ?pause, %error, "what a deleted MCPServer has left is still there");
    absent.add_after(server, pause, Priority::Normal);
}

/// Deletes what names this MCPServer from other namespaces, and means one that is gone. `uid` is that of the one that is
/// there, as far as the informer shows one.
pub(crate) async fn delete_orphans(
    context: &Context,
    server: &ServerKey,
    uid: Option<&str>,
) -> Result<(), ReconcileError> {
    let suspects = suspects(&context.objects, server, uid).into_iter();
    let deleted = suspects.map(|(kind, object, owner)| async move {
        let deleted = delete_if_orphaned(context, kind, &object, &owner).await;
        deleted.map_err(|error| ReconcileError::about(kind, error))
    });
    join_all(deleted).await.into_iter().collect()
}

/// The informer may be late, in both directions: what is in use is never deleted.
async fn delete_if_orphaned(
    context: &Context,
    kind: ManagedKind,
    object: &DynamicObject,
    owner: &Owner,
) -> Result<(), ApiError> {
    let key = ServerKey::new(&owner.namespace, &owner.name);
    let found = find_server(&context.client, &key).await?;
    if found.is_some_and(|found| found.uid.as_ref() == Some(&owner.uid)) {
        return Ok(());
    }
    delete(&context.client, kind, object, "its MCPServer is gone").await
}

type Suspect = (ManagedKind, DynamicObject, Owner);

/// Objects in other namespaces that name this server, and not with this uid.
fn suspects(objects: &ObjectCache, server: &ServerKey, uid: Option<&str>) -> Vec<Suspect> {
    let names = ManagedKind::iter().flat_map(|kind| {
        let names = objects.keys_of(kind, server).into_iter();
        names.map(move |name| (kind, name))
    });
    names
        .filter(|(_, (namespace, _))| *namespace != server.namespace)
        .filter_map(|(kind, (namespace, name))| {
            let object = objects.get(kind, &namespace, &name)?;
            let owner = Owner::of(&object).filter(|owner| is_suspect(owner, server, uid))?;
            Some((kind, object, owner))
        })
        .collect()
}

fn is_suspect(owner: &Owner, server: &ServerKey, uid: Option<&str>) -> bool {
    owner.name == server.name
        && owner.namespace == server.namespace
        && Some(owner.uid.as_str()) != uid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_a_server_with_another_uid_is_looked_at() {
        let server = ServerKey::new("tools", "a");
        let owner = |namespace: &str, name: &str| Owner {
            namespace: namespace.into(),
            name: name.into(),
            uid: "1".into(),
        };
        assert!(is_suspect(&owner("tools", "a"), &server, None));
        assert!(is_suspect(&owner("tools", "a"), &server, Some("2")));
        assert!(!is_suspect(&owner("tools", "a"), &server, Some("1")));
        assert!(!is_suspect(&owner("tools", "b"), &server, None));
        assert!(!is_suspect(&owner("other", "a"), &server, None));
    }
}
