//! The file that LiteLLM includes.

use std::fmt::Write;

use litellm_identity::{Mark, server_id};
use mcp_plugin_sdk::Server;

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
    let mut file = format!("{HEADER}mcp_servers:\n");
    for (server, name) in servers {
        // Writing into a String cannot fail.
        let _ = write_server(&mut file, instance, server, name);
    }
    file
}

/// Whether a file is one without servers.
pub(crate) fn is_empty(file: &str) -> bool {
    file == EMPTY
}

fn write_server(
    file: &mut String,
    instance: &str,
    server: &Server,
    name: &str,
) -> std::fmt::Result {
    writeln!(file, "  {}:", key(name))?;
    let mut line = |key: &str, value: String| writeln!(file, "    {key}: {value}");
    line("server_id", inline(&server_id(instance, server)))?;
    line("url", inline(&server.url))?;
    line("transport", inline(&server.transport))?;
    line("description", inline(&server.description))?;
    if !server.access_groups.is_empty() {
        line("access_groups", inline(&server.access_groups))?;
    }
    if !server.allowed_tools.is_empty() {
        line("allowed_tools", inline(&server.allowed_tools))?;
    }
    line("mcp_info", inline(&Mark::new(instance, server)))
}
