//! Names of servers in LiteLLM, which are the prefixes of their tools.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;
use mcp_plugin_sdk::Server;
use sha2::{Digest, Sha256};

use crate::Refusal;

/// A tool is called `<name>-<tool>`, and model providers allow 64 characters for that.
const MAX_NAME: usize = 40;
/// Hexadecimal digits of the hash that makes a shortened name unique.
const HASH_DIGITS: usize = 8;

/// `<namespace>_<name>`, where every character but letters and digits becomes `_`: LiteLLM does not start with a `-` in a
/// name, and not every model provider accepts other characters.
pub(crate) fn name(server: &Server) -> String {
    let mut name = String::with_capacity(server.namespace.len() + 1 + server.name.len());
    let plain = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte)
        } else {
            '_'
        }
    };
    name.extend(server.namespace.bytes().map(plain));
    name.push('_');
    name.extend(server.name.bytes().map(plain));
    if name.len() <= MAX_NAME {
        return name;
    }
    let hash = &hex::encode(Sha256::digest(server.key()))[..HASH_DIGITS];
    format!("{}_{hash}", &name[..MAX_NAME - 1 - HASH_DIGITS])
}

/// A server with its name in LiteLLM, or the reason why it has none.
#[derive(Clone, Debug)]
pub struct NamedServer<'a> {
    pub server: &'a Server,
    /// Consists of letters, digits and `_`.
    pub name: Result<String, Refusal>,
}

/// Names all servers, and keeps their order. Of several servers with the same name the oldest gets it. `refuse` returns why
/// a registration strategy cannot register a server; a refused server takes no name.
pub fn assign_names(
    servers: &[Server],
    refuse: impl Fn(&Server) -> Option<Refusal>,
) -> Vec<NamedServer<'_>> {
    let name_of = |server| {
        let refusal = Refusal::check(server).or_else(|| refuse(server));
        refusal.map_or_else(|| Ok(name(server)), Err)
    };
    let mut names: Vec<Result<String, Refusal>> = servers.iter().map(name_of).collect();
    for (index, refusal) in collisions(servers, &names) {
        names[index] = Err(refusal);
    }
    let assigned = servers.iter().zip(names);
    assigned
        .map(|(server, name)| NamedServer { server, name })
        .collect()
}

/// The index of each server whose name an older server has, and its refusal.
fn collisions(servers: &[Server], names: &[Result<String, Refusal>]) -> Vec<(usize, Refusal)> {
    let mut owners = HashMap::with_capacity_and_hasher(servers.len(), FixedState::default());
    let mut losers = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let Ok(name) = name else { continue };
        match owners.entry(name.as_str()) {
            Entry::Vacant(free) => _ = free.insert(index),
            Entry::Occupied(mut taken) => {
                let owner = *taken.get();
                let loser = if seniority(&servers[index]) < seniority(&servers[owner]) {
                    taken.insert(index);
                    owner
                } else {
                    index
                };
                losers.push((loser, name.as_str()));
            }
        }
    }
    let refusal = |(index, name): (usize, &str)| {
        let owner = &servers[*owners.get(name)?];
        Some((index, Refusal::collision(owner, name)))
    };
    losers.into_iter().filter_map(refusal).collect()
}

/// A sort key: smaller is older, and no two servers have the same.
pub fn seniority(server: &Server) -> (&str, &str, &str) {
    (&server.created, &server.namespace, &server.name)
}
