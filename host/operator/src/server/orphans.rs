//! What MCPServers that are gone have left in other namespaces: no owner reference reaches there, so the garbage collector
//! does not know of it.
//!
//! A finalizer would do as well while the operator is there; without it, no MCPServer could be deleted, and no namespace
//! with one. So it is looked for instead. Whoever wakes a server that turns out not to be there (its own end, a watch of
//! objects at its start, an object that comes too late, an attempt that failed) has it looked after.

use std::sync::Arc;

use futures::future::join_all;
use futures::{StreamExt, stream};
use kube::api::DynamicObject;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::owner::Owner;
use strum::IntoEnumIterator;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;
use tracing::warn;

use super::apply::Stopped;
use super::backoff::jitter;
use super::context::Context;
use super::create::find_server;
use super::delete::delete;
use super::live::Live;
use super::pace;
use super::reference::ServerRef;
use crate::error::Error;

/// Looks after servers that are not there, until nobody tells of one any more.
pub(super) async fn run(context: &Context, mut absent: UnboundedReceiver<ServerRef>) {
    stream::poll_fn(move |task| absent.poll_recv(task))
        .for_each_concurrent(usize::from(context.settings.concurrency), |server| {
            look_after(context, server)
        })
        .await;
}

async fn look_after(context: &Context, server: ServerRef) {
    let namespace = server.namespace.as_deref().unwrap_or_default();
    let key = format!("{namespace}/{}", server.name);
    let Err(Stopped { error, .. }) = delete_orphans(context, &server, None).await else {
        context.memory.backoff.reset(&key);
        return;
    };
    let class = error.class();
    let next = context.memory.backoff.next(&key, class, jitter());
    let next = pace::after_failure(next, jitter());
    warn!(server = key, category = error.category(), class = <&str>::from(class), retry_in = ?next, %error, "what a deleted MCPServer has left is still there");
    let wake = context.wake.clone();
    tokio::spawn(async move {
        sleep(next).await;
        // The receiver is gone only when the program ends.
        let _ = wake.send(server);
    });
}

/// Deletes what names this MCPServer from other namespaces, and means one that is gone. `uid` is that of the one that is
/// there, as far as the watch shows one.
pub(super) async fn delete_orphans(
    context: &Context,
    server: &ServerRef,
    uid: Option<&str>,
) -> Result<(), Stopped> {
    let suspects = suspects(&context.live, server, uid).into_iter();
    let deleted = suspects.map(|(kind, object, owner)| async move {
        let deleted = delete_if_orphaned(context, kind, &object, &owner).await;
        deleted.map_err(|error| Stopped {
            kind: Some(kind),
            error,
        })
    });
    join_all(deleted).await.into_iter().collect()
}

/// The watch may be late, in both directions: what is in use is never deleted.
async fn delete_if_orphaned(
    context: &Context,
    kind: ManagedKind,
    object: &DynamicObject,
    owner: &Owner,
) -> Result<(), Error> {
    let client = &context.client;
    let found = find_server(client, &owner.namespace, &owner.name).await?;
    if found.is_some_and(|found| found.uid.as_ref() == Some(&owner.uid)) {
        return Ok(());
    }
    delete(client, kind, object, "its MCPServer is gone").await
}

type Suspect = (ManagedKind, Arc<DynamicObject>, Owner);

/// Objects in other namespaces that name this server, and not with this uid.
fn suspects(live: &Live, server: &ServerRef, uid: Option<&str>) -> Vec<Suspect> {
    let keys = ManagedKind::iter().flat_map(|kind| {
        live.keys_of(kind, server)
            .into_iter()
            .map(move |key| (kind, key))
    });
    keys.filter(|(_, (namespace, _))| Some(namespace) != server.namespace.as_ref())
        .filter_map(|(kind, (namespace, name))| {
            let object = live.get(kind, &namespace, &name)?;
            let owner = Owner::of(&*object).filter(|owner| is_suspect(owner, server, uid))?;
            Some((kind, object, owner))
        })
        .collect()
}

fn is_suspect(owner: &Owner, server: &ServerRef, uid: Option<&str>) -> bool {
    owner.name == server.name
        && Some(&owner.namespace) == server.namespace.as_ref()
        && Some(owner.uid.as_str()) != uid
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::ObjectRef;

    use super::*;

    #[test]
    fn only_what_names_a_server_with_another_uid_is_looked_at() {
        let server: ServerRef = ObjectRef::new("a").within("tools");
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
