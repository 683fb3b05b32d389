//! MCPServers that the informer does not keep whole: who has room, and how to get one when its turn has come.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::runtime::watcher::Event;
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

/// The servers that are not kept whole, and which of them have room. Who asks about each of many costs no more than one look at
/// all of them: it is divided once after each change, and not at all while everything fits. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct LargeServerRoom(Arc<Mutex<Division>>);

#[derive(Default)]
struct Division {
    large: HashMap<ServerKey, Large>,
    bytes: usize,
    /// Those in a list that is not complete yet.
    listing: Option<HashSet<ServerKey>>,
    /// Those that have no room. None: something has changed since it was divided.
    without_room: Option<HashSet<ServerKey>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Large {
    created: Option<Timestamp>,
    bytes: usize,
}

impl LargeServerRoom {
    /// Takes in what the watch shows. To be called with every event of the informer.
    pub(crate) fn observe_event(&self, event: &Event<GuardedServer>) {
        let mut division = self.lock();
        match event {
            Event::Apply(server) => division.set(ServerKey::of(server), Large::of(server)),
            Event::Delete(server) => division.set(ServerKey::of(server), None),
            Event::Init => division.listing = Some(HashSet::new()),
            Event::InitApply(server) => {
                let key = ServerKey::of(server);
                if let Some(listing) = &mut division.listing {
                    listing.insert(key.clone());
                }
                division.set(key, Large::of(server));
            }
            Event::InitDone => {
                let listed = division.listing.take().unwrap_or_default();
                let known = division.large.keys();
                let gone: Vec<_> = known.filter(|key| !listed.contains(key)).cloned().collect();
                for key in gone {
                    division.set(key, None);
                }
            }
        }
    }

    /// Whether a server that is not kept whole has room beside the others. A namespace that needs no more than its part loses
    /// nothing; of the others the newest have none.
    pub(crate) fn room_for(&self, wanted: &ServerKey) -> Result<(), NoRoom> {
        let mut division = self.lock();
        if division.has_room(wanted) {
            return Ok(());
        }
        Err(NoRoom {
            bytes: division.large.get(wanted).map_or(0, |large| large.bytes),
            namespace: wanted.namespace.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Division> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Large {
    fn of(server: &GuardedServer) -> Option<Self> {
        Some(Self {
            created: server.creation_timestamp().map(|created| created.0),
            bytes: server.cut?.bytes,
        })
    }
}

impl Division {
    fn set(&mut self, key: ServerKey, large: Option<Large>) {
        let before = match large {
            Some(large) => self.large.insert(key, large),
            None => self.large.remove(&key),
        };
        if before != large {
            let bytes = |large: Option<Large>| large.map_or(0, |large| large.bytes);
            self.bytes = self.bytes - bytes(before) + bytes(large);
            self.without_room = None;
        }
    }

    fn has_room(&mut self, wanted: &ServerKey) -> bool {
        if self.bytes <= ROOM {
            return true;
        }
        if self.without_room.is_none() {
            self.without_room = Some(self.divide());
        }
        let without_room = self.without_room.as_ref();
        without_room.is_none_or(|without| !without.contains(wanted))
    }

    fn divide(&self) -> HashSet<ServerKey> {
        let items: Vec<_> = self
            .large
            .iter()
            .map(|(key, large)| Item {
                group: &key.namespace,
                age: (large.created, key),
                size: large.bytes,
            })
            .collect();
        let fits = fitting(ROOM, &items).into_iter();
        let all = self.large.keys().zip(fits);
        all.filter(|(_, fits)| !fits)
            .map(|(key, _)| key.clone())
            .collect()
    }
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

    fn server(namespace: &str, number: usize, bytes: usize) -> GuardedServer {
        let server = json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": name(number), "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "image": { "repository": "acme/mcp" }, "args": ["x".repeat(bytes)] },
        });
        serde_json::from_value(server).unwrap()
    }

    fn name(number: usize) -> String {
        format!("s{number:04}")
    }

    const BYTES: usize = 1_400_000;

    /// More of one namespace than fit, and two of another one.
    fn crowded() -> LargeServerRoom {
        let room = LargeServerRoom::default();
        for number in 0..40 {
            room.observe_event(&Event::Apply(server("crowd", number, BYTES)));
        }
        room.observe_event(&Event::Apply(server("quiet", 1, BYTES)));
        room.observe_event(&Event::Apply(server("quiet", 2, 100)));
        room
    }

    fn has_room(room: &LargeServerRoom, namespace: &str, number: usize) -> bool {
        room.room_for(&ServerKey::new(namespace, name(number)))
            .is_ok()
    }

    #[test]
    fn the_newest_of_the_namespace_with_most_have_no_room_and_others_have() {
        let room = crowded();
        assert!(has_room(&room, "quiet", 1) && has_room(&room, "quiet", 2));
        let of_crowd: Vec<bool> = (0..40)
            .map(|number| has_room(&room, "crowd", number))
            .collect();
        let fit = of_crowd.iter().take_while(|fits| **fits).count();
        assert_eq!(fit, ROOM / BYTES - 1);
        assert!(of_crowd[fit..].iter().all(|fits| !fits));
        let error = room.room_for(&ServerKey::new("crowd", name(39)));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("of the namespace crowd"), "{error}");
    }

    #[test]
    fn who_goes_makes_room_and_one_that_is_edited_without_growing_changes_nothing() {
        let room = crowded();
        let last = ROOM / BYTES - 1;
        assert!(!has_room(&room, "crowd", last));
        let is_divided = || room.lock().without_room.is_some();
        room.observe_event(&Event::Apply(server("crowd", 3, BYTES)));
        room.observe_event(&Event::Apply(server("quiet", 2, 200)));
        assert!(is_divided(), "nothing that is large is another one");
        room.observe_event(&Event::Delete(server("crowd", 0, BYTES)));
        assert!(!is_divided());
        assert!(has_room(&room, "crowd", last));
        // One that is made smaller is kept whole.
        assert!(!has_room(&room, "crowd", last + 1));
        room.observe_event(&Event::Apply(server("crowd", 1, 100)));
        assert!(has_room(&room, "crowd", last + 1));
    }

    #[test]
    fn what_another_list_does_not_show_takes_no_room() {
        let room = crowded();
        room.observe_event(&Event::Init);
        for number in 20..40 {
            room.observe_event(&Event::InitApply(server("crowd", number, BYTES)));
        }
        assert!(!has_room(&room, "crowd", 39), "it is not complete");
        room.observe_event(&Event::InitDone);
        assert!(has_room(&room, "crowd", 39));
        assert_eq!(room.lock().large.len(), 20);
    }
}
