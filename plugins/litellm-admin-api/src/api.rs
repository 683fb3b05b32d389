//! Requests of LiteLLM's admin API.

use litellm_identity::SERVERS;
use mcp_plugin_sdk::HttpRequest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::settings::Settings;

/// What may stand in a segment of a path as it is.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Reads something.
pub(crate) fn get(settings: &Settings, path: &str) -> HttpRequest {
    request(settings, "GET", path.into(), None)
}

/// Makes an entry.
pub(crate) fn create(settings: &Settings, entry: String) -> HttpRequest {
    request(settings, "POST", SERVERS.into(), Some(entry))
}

/// Changes the entry that the body names. What the body leaves out stays, so it is always the whole entry.
pub(crate) fn update(settings: &Settings, entry: String) -> HttpRequest {
    request(settings, "PUT", SERVERS.into(), Some(entry))
}

/// Removes an entry.
pub(crate) fn delete(settings: &Settings, server_id: &str) -> HttpRequest {
    let id = utf8_percent_encode(server_id, &UNRESERVED);
    request(settings, "DELETE", format!("{SERVERS}/{id}"), None)
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
