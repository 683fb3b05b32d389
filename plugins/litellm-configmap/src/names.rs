//! Names under which LiteLLM knows servers: prefixes of their tools.

use std::collections::BTreeMap;

use mcp_plugin_sdk::Server;
use sha2::{Digest, Sha256};

/// A tool is called `<name>-<tool>`, and providers of models take 64 characters for that.
const LONGEST: usize = 40;

/// The name of a server: `<namespace>_<name>`, where every sign but letters and digits becomes `_`. LiteLLM does not start
/// with a `-` in a name, and other signs do not work with all providers.
pub(crate) fn name(server: &Server) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = format!("{}_{}", server.namespace, server.name)
        .chars()
        .map(plain)
        .collect();
    if name.len() <= LONGEST {
        return name;
    }
    let hash = &hex::encode(Sha256::digest(server.key()))[..8];
    format!("{}_{hash}", &name[..LONGEST - 1 - hash.len()])
}

/// Each server with its name, or with the server that has the name already: the older of two keeps it.
pub(crate) fn assign(servers: &[Server]) -> Vec<(&Server, Result<String, String>)> {
    let mut owners: BTreeMap<String, &Server> = BTreeMap::new();
    let age = |server: &Server| (server.created.clone(), server.key());
    for server in servers {
        let owner = owners.entry(name(server)).or_insert(server);
        if age(server) < age(owner) {
            *owner = server;
        }
    }
    let assigned = |server| {
        let name = name(server);
        match owners.get(&name) {
            Some(owner) if owner.key() != Server::key(server) => Err(owner.key()),
            _ => Ok(name),
        }
    };
    servers
        .iter()
        .map(|server| (server, assigned(server)))
        .collect()
}
