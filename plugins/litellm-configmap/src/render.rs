//! The file that LiteLLM includes.

use litellm_identity::{Mark, server_id};
use mcp_plugin_sdk::Server;
use serde::Serialize;

use crate::yaml::{inline, key};

/// What LiteLLM reads where there are no servers: a document that changes nothing of the main file.
const EMPTY: &str = "{}\n";
const HEADER: &str = "# Written by the MCP Server Operator. Changes are overwritten.\n";

/// The file for servers with their names, sorted by name.
pub(crate) fn render(instance: &str, mut servers: Vec<(&Server, &str)>) -> String {
    if servers.is_empty() {
        return EMPTY.into();
    }
    servers.sort_unstable_by_key(|(_, name)| *name);
    let mut file = format!("{HEADER}mcp_servers:\n").into_bytes();
    for (server, name) in servers {
        write_server(&mut file, instance, server, name);
    }
    // It is made of texts alone.
    String::from_utf8(file).unwrap_or_default()
}

/// Whether a file is one without servers.
pub(crate) fn is_empty(file: &str) -> bool {
    file == EMPTY
}

fn write_server(file: &mut Vec<u8>, instance: &str, server: &Server, name: &str) {
    file.extend_from_slice(b"  ");
    key(file, name);
    file.extend_from_slice(b":\n");
    line(file, "server_id", &server_id(instance, server));
    line(file, "url", &server.url);
    line(file, "transport", &server.transport);
    line(file, "description", &server.description);
    if !server.access_groups.is_empty() {
        line(file, "access_groups", &server.access_groups);
    }
    if !server.allowed_tools.is_empty() {
        line(file, "allowed_tools", &server.allowed_tools);
    }
    line(file, "mcp_info", &Mark::new(instance, server));
}

fn line(file: &mut Vec<u8>, key: &str, value: &impl Serialize) {
    for part in ["    ", key, ": "] {
        file.extend_from_slice(part.as_bytes());
    }
    inline(file, value);
    file.push(b'\n');
}
