//! Renders the file that LiteLLM includes.

use std::cmp::Reverse;
use std::ops::Range;

use litellm_identity::{NamedServer, OwnershipMark, Refusal, seniority, server_id};
use mcp_plugin_sdk::Server;
use serde::Serialize;

use crate::auth;
use crate::yaml::{inline, key};

/// The file without servers: a document that changes nothing of the main file.
const EMPTY: &str = "{}\n";
const HEADER: &str =
    "# Written by the MCP Server Operator. Changes are overwritten.\nmcp_servers:\n";
/// A comment that makes the file differ from one with the same servers.
const REVISION_COMMENT: &str = "# Written again: ";
/// Bytes of a revision with its line break.
const MAX_REVISION_LINE: usize = 65;
/// Bytes. The API server accepts no ConfigMap with more data.
pub(crate) const MAX_FILE_BYTES: usize = 1 << 20;

/// The file for all servers that have a name, sorted by name. The name of a server that does not fit becomes a refusal.
pub(crate) fn render(instance: &str, assigned: &mut [NamedServer<'_>]) -> String {
    let (text, mut entries) = entries(instance, assigned);
    let size = |entries: &[Entry]| {
        let texts = entries.iter().map(|entry| entry.text.len()).sum::<usize>();
        HEADER.len() + texts + REVISION_COMMENT.len() + MAX_REVISION_LINE
    };
    let excess = size(&entries).saturating_sub(MAX_FILE_BYTES);
    if excess > 0 {
        for Entry { place, .. } in evict(assigned, &mut entries, excess) {
            assigned[place].name = Err(configuration_full());
        }
    }
    if entries.is_empty() {
        return EMPTY.into();
    }
    entries.sort_unstable_by_key(|entry| assigned[entry.place].name.as_ref().ok());
    let mut file = String::with_capacity(size(&entries));
    file.push_str(HEADER);
    for entry in entries {
        file.push_str(&text[entry.text]);
    }
    file
}

/// Whether a file is one without servers.
pub(crate) fn is_empty(file: &str) -> bool {
    file == EMPTY
}

/// The same file with a comment that contains `revision`: at most 64 bytes without a line break.
pub(crate) fn with_revision(file: &str, revision: &str) -> String {
    [file, REVISION_COMMENT, revision, "\n"].concat()
}

/// Whether `found` is `file`, with or without a revision.
pub(crate) fn is_same(found: &str, file: &str) -> bool {
    found.strip_prefix(file).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(REVISION_COMMENT) && rest.lines().count() == 1
    })
}

/// The lines of one server in the file.
struct Entry {
    place: usize,
    text: Range<usize>,
}

fn entries(instance: &str, assigned: &[NamedServer<'_>]) -> (String, Vec<Entry>) {
    let (mut text, mut entries) = (Vec::new(), Vec::with_capacity(assigned.len()));
    for (place, NamedServer { server, name }) in assigned.iter().enumerate() {
        let Ok(name) = name else { continue };
        let start = text.len();
        write_server(&mut text, instance, server, name);
        entries.push(Entry {
            place,
            text: start..text.len(),
        });
    }
    // It consists of strings only.
    (String::from_utf8(text).unwrap_or_default(), entries)
}

/// Removes entries until `excess` bytes are free: those of the largest size class (a power of two) first, so that one server
/// with long texts does not displace many others, and within a class the newest, which is the least likely to be in use.
fn evict(assigned: &[NamedServer<'_>], entries: &mut Vec<Entry>, excess: usize) -> Vec<Entry> {
    entries.sort_unstable_by_key(|entry| {
        let class = entry.text.len().ilog2();
        (
            Reverse(class),
            Reverse(seniority(assigned[entry.place].server)),
        )
    });
    let mut freed = 0;
    let evicted = entries.iter().take_while(|entry| {
        let is_evicted = freed < excess;
        freed += entry.text.len();
        is_evicted
    });
    let evicted = evicted.count();
    entries.drain(..evicted).collect()
}

fn configuration_full() -> Refusal {
    let message = format!(
        "The file for LiteLLM may have {MAX_FILE_BYTES} bytes, and the largest and newest servers did not fit: use the plugin litellm-admin-api, or shorter descriptions"
    );
    Refusal::new("ConfigurationFull", message)
}

fn write_server(file: &mut Vec<u8>, instance: &str, server: &Server, name: &str) {
    file.extend_from_slice(b"  ");
    key(file, name);
    file.extend_from_slice(b":\n");
    line(file, "server_id", &server_id(instance, server));
    line(file, "url", &server.url);
    line(file, "transport", &server.transport);
    // A server whose `auth` cannot be parsed was refused, and has no name.
    if let Ok(Some(wanted)) = server.auth() {
        line(file, "auth_type", auth::litellm_type(wanted.kind));
        line(file, "authentication_token", &auth::reference(name));
    }
    line(file, "description", &server.description);
    if !server.access_groups.is_empty() {
        line(file, "access_groups", &server.access_groups);
    }
    if !server.allowed_tools.is_empty() {
        line(file, "allowed_tools", &server.allowed_tools);
    }
    line(file, "mcp_info", &OwnershipMark::new(instance, server));
}

fn line(file: &mut Vec<u8>, key: &str, value: &(impl Serialize + ?Sized)) {
    for part in ["    ", key, ": "] {
        file.extend_from_slice(part.as_bytes());
    }
    inline(file, value);
    file.push(b'\n');
}
