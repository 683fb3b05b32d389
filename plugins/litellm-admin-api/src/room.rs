//! The room in LiteLLM's list: a list that is too large cannot be read, and then nothing could be changed any more.

use litellm_identity::{NamedServer, Refusal, seniority};
use mcp_operator_fair_share::{Item, fitting};
use mcp_plugin_sdk::Server;

use crate::entry::listed_size;

/// Bytes of LiteLLM's list for the servers of the operator. The operator reads 32 MiB; the rest is for entries of others.
pub(crate) const LIST_ROOM: usize = 28 << 20;

/// Refuses servers until the entries of the others fit, and returns the refused ones. Namespaces share the room: one that
/// needs no more than its part loses nothing, and of the others the newest servers are refused.
pub(crate) fn refuse_what_does_not_fit<'a>(assigned: &mut [NamedServer<'a>]) -> Vec<&'a Server> {
    let named = |assigned: &NamedServer<'a>| assigned.name.is_ok().then_some(assigned.server);
    let items: Vec<_> = assigned
        .iter()
        .filter_map(named)
        .map(|server| Item {
            group: &*server.namespace,
            age: seniority(server),
            size: listed_size(server),
        })
        .collect();
    let named = assigned.iter_mut().filter(|server| server.name.is_ok());
    let mut refused = Vec::new();
    for (assigned, fits) in named.zip(fitting(LIST_ROOM, &items)) {
        if !fits {
            assigned.name = Err(list_full(assigned.server));
            refused.push(assigned.server);
        }
    }
    refused
}

fn list_full(server: &Server) -> Refusal {
    let message = format!(
        "The servers of all namespaces may have {LIST_ROOM} bytes in LiteLLM's list, which namespaces share, and the newest of {} did not fit: remove servers there, or shorten the descriptions, groups and tools in their spec.litellm",
        server.namespace
    );
    Refusal::new("ListFull", message)
}
