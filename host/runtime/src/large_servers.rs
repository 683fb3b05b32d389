//! MCPServers that the informer does not keep whole: who has room, and how to get one when its turn has come.

use std::sync::Arc;

use kube::{Api, Client, ResourceExt};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_fair_share::{Item, fitting};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, request};
use crate::guarded_server::GuardedServer;
use crate::watch::trim_metadata;

/// Bytes that all large servers together may take: so much is kept of their objects, of what is registered of them and of
/// what is planned.
pub(crate) const ROOM: usize = 32 << 20;
/// Large servers that are worked on at once.
const AT_ONCE: usize = 2;

/// The large MCPServers of its namespace have no room for another one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the MCPServer takes {bytes} bytes, and large MCPServers of all namespaces together may take {ROOM}, of which each namespace has a part: make spec.config, env, args, command, labels and annotations smaller, or delete large MCPServers of the namespace {namespace}, of which the newest have to wait"
)]
pub struct NoRoom {
    bytes: usize,
    namespace: String,
}

impl Classify for NoRoom {
    fn class(&self) -> ErrorClass {
        ErrorClass::External
    }

    fn category(&self) -> &'static str {
        "TooLarge"
    }
}

/// Whether a server that is not kept whole has room beside the others. A namespace that needs no more than its part loses
/// nothing; of the others the newest have none.
pub(crate) fn room_for(all: &[Arc<GuardedServer>], wanted: &ServerKey) -> Result<(), NoRoom> {
    let mut keys = Vec::new();
    for guarded in all {
        if let Some(cut) = guarded.cut {
            let created = guarded.creation_timestamp().map(|created| created.0);
            keys.push((ServerKey::of(&**guarded), created, cut.bytes));
        }
    }
    let items: Vec<_> = keys
        .iter()
        .map(|(key, created, size)| Item {
            group: &key.namespace,
            age: (*created, key),
            size: *size,
        })
        .collect();
    let fits = fitting(ROOM, &items);
    let out = keys
        .iter()
        .zip(fits)
        .find(|((key, ..), fits)| key == wanted && !fits);
    out.map_or(Ok(()), |((key, _, bytes), _)| {
        Err(NoRoom {
            bytes: *bytes,
            namespace: key.namespace.clone(),
        })
    })
}

/// Gets servers whole from the API server, a few at a time.
#[derive(Clone)]
pub(crate) struct LargeServers {
    client: Client,
    places: Arc<Semaphore>,
}

/// A server as it is stored, for as long as it is worked on.
pub struct WholeServer {
    pub server: McpServer,
    _place: Option<OwnedSemaphorePermit>,
}

impl LargeServers {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The server with this name and uid; nothing if it is gone.
    pub(crate) async fn get(&self, shown: &GuardedServer) -> Result<Option<WholeServer>, ApiError> {
        let ServerKey { namespace, name } = ServerKey::of(shown);
        // Only a closed semaphore gives none, and nothing closes this one.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let api: Api<McpServer> = Api::namespaced(self.client.clone(), &namespace);
        let action = || format!("get MCPServer {namespace}/{name}");
        let found = request(action, api.get_opt(&name)).await?;
        Ok(found
            .filter(|found| found.uid() == shown.uid())
            .map(|mut server| {
                trim_metadata(&mut server.metadata);
                WholeServer {
                    server,
                    _place: place,
                }
            }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(namespace: &str, number: usize, bytes: usize) -> Arc<GuardedServer> {
        let server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": format!("s{number:04}"), "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "image": { "repository": "acme/mcp" }, "args": ["x".repeat(bytes)] },
        });
        Arc::new(serde_json::from_value(server).unwrap())
    }

    #[test]
    fn the_newest_of_the_namespace_with_most_have_no_room_and_others_have() {
        let mut all: Vec<_> = (0..40)
            .map(|number| server("crowd", number, 1_400_000))
            .collect();
        all.push(server("quiet", 1, 1_400_000));
        all.push(server("quiet", 2, 100));
        let has_room = |namespace: &str, number: usize| {
            room_for(&all, &ServerKey::new(namespace, format!("s{number:04}"))).is_ok()
        };
        assert!(has_room("quiet", 1) && has_room("quiet", 2));
        let of_crowd: Vec<bool> = (0..40).map(|number| has_room("crowd", number)).collect();
        let fit = of_crowd.iter().take_while(|fits| **fits).count();
        assert_eq!(fit, ROOM / 1_400_000 - 1);
        assert!(of_crowd[fit..].iter().all(|fits| !fits));
        let error = room_for(&all, &ServerKey::new("crowd", "s0039")).unwrap_err();
        assert!(
            error.to_string().contains("of the namespace crowd"),
            "{error}"
        );
    }
}
