//! What users wanted last, from their requests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::event::Event;

const SERVERS: &str = "mcpservers";
const DEFINITION: &str = "/mcpservers.mcp.litellm.ai";

/// An MCPServer that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// When its last change came in.
    pub(crate) changed: Timestamp,
    /// What LiteLLM shall say about it, where the log has that.
    pub(crate) description: Option<String>,
    /// What was sent last.
    spec: Value,
}

/// All MCPServers that there ever were, by `namespace/name`: nothing for those that are gone.
#[derive(Debug, Default)]
pub(crate) struct Servers(BTreeMap<String, Option<Server>>);

impl Servers {
    /// Those that are wanted.
    pub(crate) fn living(&self) -> impl Iterator<Item = (&str, &Server)> {
        self.0
            .iter()
            .filter_map(|(name, server)| Some((name.as_str(), server.as_ref()?)))
    }

    /// Those that are gone.
    pub(crate) fn gone(&self) -> BTreeSet<&str> {
        let gone = self.0.iter().filter(|(_, server)| server.is_none());
        gone.map(|(name, _)| name.as_str()).collect()
    }

    fn clear(&mut self, which: impl Fn(&str) -> bool) {
        for (name, server) in &mut self.0 {
            if which(name) {
                *server = None;
            }
        }
    }
}

/// Reads events in the order in which they happened.
pub(crate) fn servers(events: &[Event]) -> Servers {
    let mut servers = Servers::default();
    let by_users = events
        .iter()
        .filter(|event| event.is_write() && event.is_done && !event.is_by_operator());
    for event in by_users {
        match (event.resource.as_str(), event.verb.as_str()) {
            // Whoever deletes the definition deletes all of them; of those the log says nothing.
            ("customresourcedefinitions", "delete") if event.object == DEFINITION => {
                servers.clear(|_| true);
            }
            (SERVERS, "deletecollection") => {
                let namespace = event.object.clone();
                servers.clear(|name| name.starts_with(&namespace));
            }
            (SERVERS, "delete") => {
                servers.0.insert(event.object.clone(), None);
            }
            (SERVERS, _) => {
                let before = servers.0.remove(&event.object).flatten();
                let server = changed(event, before);
                servers.0.insert(event.object.clone(), Some(server));
            }
            _ => (),
        }
    }
    servers
}

/// A server after a request of its user. Who says the same once more changes nothing.
fn changed(event: &Event, before: Option<Server>) -> Server {
    let spec = event.body["spec"].clone();
    match before {
        Some(before) if !spec.is_null() && before.spec == spec => before,
        before => Server {
            changed: event.received,
            description: spec["litellm"]["description"]
                .as_str()
                .map(str::to_owned)
                .or(before.and_then(|before| before.description)),
            spec,
        },
    }
}
