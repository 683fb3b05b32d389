//! Names of servers in LiteLLM, which are the prefixes of their tools.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;
use mcp_plugin_sdk::Server;
use sha2::{Digest, Sha256};

use crate::Refusal;

/// A tool is called `<name>-<tool>`, and model providers allow 64 characters for that.
const MAX_NAME: usize = 40;
/// Base32 digits of the hash that keeps apart names that read alike: 40 bits. Only the few servers whose characters are the
/// same but for `-`, `.` and the end of the namespace have to be kept apart.
const HASH_DIGITS: usize = 8;
/// The same for a name that is cut: 80 bits. Whoever may choose what is cut off can try as many names as they like.
const CUT_HASH_DIGITS: usize = 16;

/// The name of a server in LiteLLM, which no other server can have.
///
/// It is `<namespace>_<name>` if both consist of letters and digits. LiteLLM does not start with a `-` in a name, and not
/// every model provider accepts other characters, so all others become `_`; then `data-science/jupyter` and
/// `data/science-jupyter` would read alike, and one team would get what LiteLLM grants and sends to the other. So a hash of
/// `namespace/name` follows. It makes the three forms differ as well: a plain name has one `_`, the others have more, and
/// what follows their last `_` is of different lengths.
///
/// The name follows from the namespace and the name alone. So none has to be kept for a server that is gone: only a server
/// of the same name in the same namespace can get it again, which is the same team's.
pub(crate) fn name(server: &Server) -> String {
    let (namespace, name) = (&*server.namespace, &*server.name);
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let length = namespace.len() + 1 + name.len();
    if is_plain(namespace) && is_plain(name) && length <= MAX_NAME {
        return [namespace, "_", name].concat();
    }
    let digits = if length + 1 + HASH_DIGITS <= MAX_NAME {
        HASH_DIGITS
    } else {
        CUT_HASH_DIGITS
    };
    // Both parts stay readable, so that the first `_` is always there.
    let room = MAX_NAME - 2 - digits;
    let namespace_room = room.saturating_sub(name.len()).max(room / 2);
    let namespace = &readable(namespace, namespace_room);
    let name = &readable(name, room - namespace.len());
    [namespace, "_", name, "_", &hash(&server.key(), digits)].concat()
}

/// The first characters of a part of a name, as LiteLLM and model providers accept them.
fn readable(part: &str, length: usize) -> String {
    let bytes = part.bytes().take(length);
    bytes
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte)
            } else {
                '_'
            }
        })
        .collect()
}

/// The first digits of a hash in base32: small letters, because LiteLLM's names do not differ by case alone.
fn hash(key: &str, digits: usize) -> String {
    const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = Sha256::digest(key);
    (0..digits)
        .map(|digit| {
            let bits = (digit * 5..digit * 5 + 5)
                .map(|bit| hash[bit / 8] >> (7 - bit % 8) & 1)
                .fold(0, |bits, bit| bits << 1 | bit);
            char::from(ALPHABET[usize::from(bits)])
        })
        .collect()
}

/// A server with its name in LiteLLM, or the reason why it has none.
#[derive(Clone, Debug)]
pub struct NamedServer<'a> {
    pub server: &'a Server,
    /// Consists of letters, digits and `_`.
    pub name: Result<String, Refusal>,
}

/// Names all servers, and keeps their order. `refuse` returns why a registration strategy cannot register a server; a refused
/// server takes no name.
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

/// The index of each server whose name an older server has, and its refusal. [`name`] makes that all but impossible; LiteLLM
/// would mix the tools of both.
pub(crate) fn collisions(
    servers: &[Server],
    names: &[Result<String, Refusal>],
) -> Vec<(usize, Refusal)> {
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
