//! The file that LiteLLM includes.

use std::cmp::Reverse;
use std::ops::Range;

use litellm_identity::{Assigned, Mark, Refusal, seniority, server_id};
use mcp_plugin_sdk::Server;
use serde::Serialize;

use crate::auth;
use crate::yaml::{inline, key};

/// What LiteLLM reads where there are no servers: a document that changes nothing of the main file.
const EMPTY: &str = "{}\n";
const HEADER: &str =
    "# Written by the MCP Server Operator. Changes are overwritten.\nmcp_servers:\n";
/// Makes a file another one that says the same.
const AGAIN: &str = "# Written again: ";
/// Bytes, with the end of the line.
const LONGEST_MARK: usize = 65;
/// Kubernetes takes no ConfigMap with more data.
pub(crate) const LARGEST_FILE: usize = 1 << 20;

/// The file for servers with their names, sorted by name. Those that do not fit lose theirs.
pub(crate) fn render(instance: &str, assigned: &mut [Assigned<'_>]) -> String {
    let (text, mut entries) = entries(instance, assigned);
    let size = |entries: &[Entry]| {
        let texts = entries.iter().map(|entry| entry.text.len()).sum::<usize>();
        HEADER.len() + texts + AGAIN.len() + LONGEST_MARK
    };
    let excess = size(&entries).saturating_sub(LARGEST_FILE);
    if excess > 0 {
        for Entry { place, .. } in make_room(assigned, &mut entries, excess) {
            assigned[place].name = Err(full());
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

/// The same file, as one that nobody has read yet. `mark`: up to 64 bytes without a line break, new for each such file.
pub(crate) fn again(file: &str, mark: &str) -> String {
    [file, AGAIN, mark, "\n"].concat()
}

/// Whether what was found is this file, be it written again.
pub(crate) fn is_same(found: &str, file: &str) -> bool {
    found
        .strip_prefix(file)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(AGAIN) && rest.lines().count() == 1)
}

/// What one server needs in the file.
struct Entry {
    place: usize,
    text: Range<usize>,
}

fn entries(instance: &str, assigned: &[Assigned<'_>]) -> (String, Vec<Entry>) {
    let (mut text, mut entries) = (Vec::new(), Vec::with_capacity(assigned.len()));
    for (place, Assigned { server, name }) in assigned.iter().enumerate() {
        let Ok(name) = name else { continue };
        let begin = text.len();
        write_server(&mut text, instance, server, name);
        entries.push(Entry {
            place,
            text: begin..text.len(),
        });
    }
    // It is made of texts alone.
    (String::from_utf8(text).unwrap_or_default(), entries)
}

/// Takes out what has to go for `excess` bytes: the largest first, of a size that is more than twice as large as that of
/// others, so that nobody's long texts cost others their place; and of those that are alike the newest, which nobody uses
/// yet.
fn make_room(assigned: &[Assigned<'_>], entries: &mut Vec<Entry>, excess: usize) -> Vec<Entry> {
    entries.sort_unstable_by_key(|entry| {
        let class = entry.text.len().ilog2();
        (
            Reverse(class),
            Reverse(seniority(assigned[entry.place].server)),
        )
    });
    let mut freed = 0;
    let go = entries.iter().take_while(|entry| {
        let goes = freed < excess;
        freed += entry.text.len();
        goes
    });
    let go = go.count();
    entries.drain(..go).collect()
}

fn full() -> Refusal {
    let message = format!(
        "The file for LiteLLM may have {LARGEST_FILE} bytes, and the largest and newest servers did not fit: use the plugin litellm-admin-api, or shorter descriptions"
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
    // One that is not understood has no name.
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
    line(file, "mcp_info", &Mark::new(instance, server));
}

fn line(file: &mut Vec<u8>, key: &str, value: &(impl Serialize + ?Sized)) {
    for part in ["    ", key, ": "] {
        file.extend_from_slice(part.as_bytes());
    }
    inline(file, value);
    file.push(b'\n');
}
