//! Names under which LiteLLM knows servers: prefixes of their tools.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

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
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = server
        .namespace
        .chars()
        .chain(['_'])
        .chain(server.name.chars())
        .map(plain)
        .collect();
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

/// Names all servers, in their order. Of several with one name the oldest has it, whatever their order.
pub fn assign(servers: &[Server]) -> Vec<Assigned<'_>> {
    let mut owners: HashMap<String, &Server> = HashMap::with_capacity(servers.len());
    let mut assigned = Vec::with_capacity(servers.len());
    for server in servers {
        let name = Refusal::of(server).map_or_else(|| Ok(name(server)), Err);
        if let Ok(name) = &name {
            match owners.entry(name.clone()) {
                Entry::Vacant(free) => _ = free.insert(server),
                Entry::Occupied(mut taken) if seniority(server) < seniority(taken.get()) => {
                    taken.insert(server);
                }
                Entry::Occupied(_) => {}
            }
        }
        assigned.push(Assigned { server, name });
    }
    for Assigned { server, name } in &mut assigned {
        let Ok(wanted) = name else { continue };
        if let Some(owner) = owners.get(wanted)
            && seniority(owner) != seniority(server)
        {
            *name = Err(Refusal::collision(owner, wanted));
        }
    }
    assigned
}

/// Smaller is older; never the same for two servers.
fn seniority(server: &Server) -> (&str, &str, &str) {
    (&server.created, &server.namespace, &server.name)
}
