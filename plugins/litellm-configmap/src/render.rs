//! The file that LiteLLM includes. JSON is YAML: values are written as JSON, so that no text needs a thought about quoting.

use std::fmt::Write;

use mcp_plugin_sdk::Server;
use serde_json::{Value, json};

/// What LiteLLM reads where there are no servers: a document that changes nothing of the main file.
const EMPTY: &str = "{}\n";
const HEADER: &str = "# Written by the MCP Server Operator. Changes are overwritten.\n";

/// The file for servers with their names, sorted by name.
pub(crate) fn render(instance: &str, mut servers: Vec<(&Server, String)>) -> String {
    if servers.is_empty() {
        return EMPTY.into();
    }
    servers.sort_by(|(_, a), (_, b)| a.cmp(b));
    let mut file = format!("{HEADER}mcp_servers:\n");
    for (server, name) in servers {
        // Writing into a String cannot fail.
        let _ = write_server(&mut file, instance, server, &name);
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
    writeln!(file, "  {name}:")?;
    let mut line = |key: &str, value: Value| writeln!(file, "    {key}: {value}");
    line(
        "server_id",
        json!(format!("{instance}.{}.{}", server.namespace, server.name)),
    )?;
    line("url", json!(server.url))?;
    line("transport", json!(server.transport))?;
    line("description", json!(server.description))?;
    if !server.access_groups.is_empty() {
        line("access_groups", json!(server.access_groups))?;
    }
    if !server.allowed_tools.is_empty() {
        line("allowed_tools", json!(server.allowed_tools))?;
    }
    line("mcp_info", info(instance, server))
}

/// LiteLLM keeps this as it is and shows it to its users.
fn info(instance: &str, server: &Server) -> Value {
    let mut info =
        json!({ "managed_by": instance, "namespace": server.namespace, "name": server.name });
    if let Some((_, team)) = server.labels.iter().find(|(name, _)| name == "team") {
        info["owner"] = json!(team);
    }
    info
}
