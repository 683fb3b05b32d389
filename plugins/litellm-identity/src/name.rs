//! Names under which LiteLLM knows servers: prefixes of their tools.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;
use mcp_plugin_sdk::Server;
use sha2::{Digest, Sha256};

use crate::Refusal;

/// A tool is called `<name>-<tool>`, and providers of models take 64 characters for that.
const LONGEST: usize = 40;
/// Hexadecimal digits that keep apart what was cut off.
const HASH: usize = 8;

/// The name of a server: `<namespace>_<name>`, where every sign but letters and digits becomes `_`. LiteLLM does not start
/// with a `-` in a name, and other signs do not work with all providers.
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
    if name.len() <= LONGEST {
        return name;
    }
    let hash = &hex::encode(Sha256::digest(server.key()))[..HASH];
    format!("{}_{hash}", &name[..LONGEST - 1 - HASH])
}

/// A server, and its name or why it has none.
#[derive(Clone, Debug)]
pub struct Assigned<'a> {
    /// The server.
    pub server: &'a Server,
    /// Its name in LiteLLM, of letters, digits and `_`.
    pub name: Result<String, Refusal>,
}

/// Names all servers, in their order. Of several with one name the oldest has it, whatever their order. `refuse` is what a
/// strategy cannot do for a server; one that is refused has no name.
pub fn assign(
    servers: &[Server],
    refuse: impl Fn(&Server) -> Option<Refusal>,
) -> Vec<Assigned<'_>> {
    let name_of = |server| {
        let refusal = Refusal::of(server).or_else(|| refuse(server));
        refusal.map_or_else(|| Ok(name(server)), Err)
    };
    let mut names: Vec<Result<String, Refusal>> = servers.iter().map(name_of).collect();
    for (index, refusal) in collisions(servers, &names) {
        names[index] = Err(refusal);
    }
    let assigned = servers.iter().zip(names);
    assigned
        .map(|(server, name)| Assigned { server, name })
        .collect()
}

/// Which servers have a name that an older one has.
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

/// Smaller is older; never the same for two servers.
pub fn seniority(server: &Server) -> (&str, &str, &str) {
    (&server.created, &server.namespace, &server.name)
}
