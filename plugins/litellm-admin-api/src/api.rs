//! Requests of LiteLLM's admin API.

use litellm_identity::SERVERS_PATH;
use mcp_plugin_sdk::HttpRequest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::settings::Settings;

/// Characters that a path segment may contain unescaped.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Reads a path.
pub(crate) fn get(settings: &Settings, path: &str) -> HttpRequest {
    request(settings, "GET", path.into(), None)
}

/// Creates an entry.
pub(crate) fn create(settings: &Settings, entry: String) -> HttpRequest {
    request(settings, "POST", SERVERS_PATH.into(), Some(entry))
}

/// Replaces the entry that the body names. LiteLLM keeps members that the body leaves out, so `entry` is always complete.
pub(crate) fn update(settings: &Settings, entry: String) -> HttpRequest {
    request(settings, "PUT", SERVERS_PATH.into(), Some(entry))
}

/// Deletes an entry.
pub(crate) fn delete(settings: &Settings, server_id: &str) -> HttpRequest {
    let id = utf8_percent_encode(server_id, &UNRESERVED);
    request(settings, "DELETE", format!("{SERVERS_PATH}/{id}"), None)
}

fn request(settings: &Settings, method: &str, path: String, body: Option<String>) -> HttpRequest {
    HttpRequest {
        connection: settings.connection.clone(),
        method: method.into(),
        path,
        headers: Vec::new(),
        body,
    }
}
