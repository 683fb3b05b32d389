//! Default requests and limits of an MCPServer.

use std::cmp::Ordering;

use mcp_operator_api::quantity;
use mcp_plugin_sdk::set_default;
use serde_json::{Value, json};

use crate::settings::Settings;

/// Sets each resource that is missing: a server with only a memory limit keeps that and gets a CPU limit. What the user says
/// wins: a default request is no more than the user's limit, and a default limit no less than the user's request. A remote one
/// has no pod that could have any.
pub(crate) fn complete(settings: &Settings, server: &mut Value) {
    let Some(defaults) = settings
        .default_resources
        .as_ref()
        .filter(|_| server["kind"] == "MCPServer" && server["spec"]["remote"].is_null())
    else {
        return;
    };
    let said = server["spec"]["resources"].clone();
    for (part, quantities, other, wins) in [
        ("requests", &defaults.requests, "limits", Ordering::Greater),
        ("limits", &defaults.limits, "requests", Ordering::Less),
    ] {
        for (name, quantity) in quantities {
            let own = &said[other][name];
            let is_misfit = compare(&quantity.0, &text(own)) == Some(wins);
            let value = if is_misfit {
                own.clone()
            } else {
                json!(quantity)
            };
            set_default(server, &["spec", "resources", part, name], value);
        }
    }
}

fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(quantity::nano(a)?.cmp(&quantity::nano(b)?))
}

/// Quantities may be numbers.
fn text(quantity: &Value) -> String {
    quantity
        .as_str()
        .map_or_else(|| quantity.to_string(), ToOwned::to_owned)
}
