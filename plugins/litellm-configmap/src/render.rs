//! Renders the file that LiteLLM includes.

use std::collections::BTreeMap;

use litellm_identity::{CallOptions, McpInfo, NamedServer, Refusal, seniority, server_id};
use mcp_operator_fair_share::{Item, fitting};
use mcp_plugin_sdk::Server;
use mcp_plugin_sdk::v1alpha1::LiteLlmLimits;
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

/// Bytes of one entry: a larger one would take the place of many.
pub(crate) const MAX_ENTRY_BYTES: usize = 8 << 10;
/// Bytes for the entries of all servers.
const ROOM: usize = MAX_FILE_BYTES - HEADER.len() - REVISION_COMMENT.len() - MAX_REVISION_LINE;

/// The file for all servers that have a name, sorted by name. The name of a server that does not fit becomes a refusal.
pub(crate) fn render(instance: &str, assigned: &mut [NamedServer<'_>]) -> String {
    let written = refuse_what_does_not_fit(instance, assigned);
    let mut servers: Vec<(&String, &Server)> = assigned
        .iter()
        .filter_map(|NamedServer { server, name }| Some((name.as_ref().ok()?, *server)))
        .collect();
    if servers.is_empty() {
        return EMPTY.into();
    }
    servers.sort_unstable_by_key(|(name, _)| *name);
    let mut file = Vec::with_capacity(HEADER.len() + written);
    file.extend_from_slice(HEADER.as_bytes());
    for (name, server) in servers {
        write_server(&mut file, instance, server, name);
    }
    // It consists of strings only.
    String::from_utf8(file).unwrap_or_default()
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

/// Refuses servers until the entries of the others fit, and returns the bytes of those. Namespaces share the room: one that
/// needs no more than its part loses nothing, however many servers others have. Within a namespace the newest are refused,
/// which are the least likely to be in use.
///
/// What an entry needs is measured before anything is kept of it: all of them together may not fit into memory.
fn refuse_what_does_not_fit(instance: &str, assigned: &mut [NamedServer<'_>]) -> usize {
    let mut entry = Vec::new();
    let (mut places, mut items) = (Vec::new(), Vec::new());
    for (place, NamedServer { server, name }) in assigned.iter_mut().enumerate() {
        let Ok(wanted) = name else { continue };
        entry.clear();
        write_server(&mut entry, instance, server, wanted);
        if entry.len() > MAX_ENTRY_BYTES {
            *name = Err(entry_too_large(entry.len()));
            continue;
        }
        places.push(place);
        items.push(Item {
            group: &*server.namespace,
            age: seniority(server),
            size: entry.len(),
        });
    }
    let mut written = 0;
    for ((place, item), fits) in places.into_iter().zip(&items).zip(fitting(ROOM, &items)) {
        if fits {
            written += item.size;
        } else {
            assigned[place].name = Err(configuration_full(item.group));
        }
    }
    written
}

fn entry_too_large(bytes: usize) -> Refusal {
    let message = format!(
        "spec.litellm takes {bytes} bytes of the file for LiteLLM, and {MAX_ENTRY_BYTES} are allowed: shorten its description, groups or tools"
    );
    Refusal::new("EntryTooLarge", message)
}

fn configuration_full(namespace: &str) -> Refusal {
    let message = format!(
        "The file for LiteLLM may have {MAX_FILE_BYTES} bytes, which namespaces share, and the newest servers of {namespace} did not fit: remove servers there, shorten their descriptions, or use the plugin litellm-admin-api"
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
        for (key, prefix) in auth::variables(wanted.kind) {
            line(file, key, &auth::reference(prefix, name));
        }
        if let Some(token_url) = &wanted.token_url {
            line(file, "oauth2_flow", "client_credentials");
            line(file, "token_url", token_url);
            line(file, "scopes", &wanted.scopes);
        }
    }
    line(file, "description", &server.description);
    if !server.access_groups.is_empty() {
        line(file, "access_groups", &server.access_groups);
    }
    if let Some(tools) = server.tool_allowlist() {
        line(file, "allowed_tools", tools);
    }
    let options = CallOptions::of(server);
    let LiteLlmLimits {
        requests_per_minute,
        max_concurrent_requests,
        timeout_seconds,
    } = options.limits;
    let numbers = [
        ("rpm", requests_per_minute),
        ("max_concurrent_requests", max_concurrent_requests),
        ("timeout", timeout_seconds),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            line(file, key, &number);
        }
    }
    if let Some(instructions) = &options.instructions {
        line(file, "instructions", instructions);
    }
    if !options.allowed_parameters.is_empty() {
        let by_tool = options.allowed_parameters.iter();
        let by_tool: BTreeMap<&str, &[String]> = by_tool
            .map(|allowed| (&*allowed.tool, &*allowed.parameters))
            .collect();
        line(file, "allowed_params", &by_tool);
    }
    line(file, "mcp_info", &McpInfo::new(instance, server, &options));
}

fn line(file: &mut Vec<u8>, key: &str, value: &(impl Serialize + ?Sized)) {
    for part in ["    ", key, ": "] {
        file.extend_from_slice(part.as_bytes());
    }
    inline(file, value);
    file.push(b'\n');
}
