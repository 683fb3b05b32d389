//! Default requests and limits of an MCPServer.

use mcp_plugin_sdk::set_default;
use serde_json::{Value, json};

use crate::settings::Settings;

/// Sets each resource that is missing: a server with only a memory limit keeps that and gets a CPU limit. A remote one has
/// no pod that could have any.
pub(crate) fn complete(settings: &Settings, server: &mut Value) {
    let Some(defaults) = settings
        .default_resources
        .as_ref()
        .filter(|_| server["kind"] == "MCPServer" && server["spec"]["remote"].is_null())
    else {
        return;
    };
    for (part, quantities) in [
        ("requests", &defaults.requests),
        ("limits", &defaults.limits),
    ] {
        for (name, quantity) in quantities {
            set_default(server, &["spec", "resources", part, name], json!(quantity));
        }
    }
}
