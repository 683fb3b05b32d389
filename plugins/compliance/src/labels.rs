//! Kubernetes' recommended labels, and those of the settings.

use mcp_plugin_sdk::{McpServer, set_default};
use serde_json::{Value, json};

use crate::settings::Settings;

/// Labels every generated object. Pod templates are left out: a changed setting must not replace all pods of a cluster.
pub(crate) fn complete(settings: &Settings, object: &mut Value, server: &McpServer) {
    if object["kind"] == "MCPServer" {
        return;
    }
    let image = server.spec.image.as_ref();
    let version = image
        .and_then(|image| image.tag.as_deref())
        .filter(|tag| is_label_value(tag));
    let standard = [
        ("app.kubernetes.io/component", Some("mcp-server")),
        ("app.kubernetes.io/part-of", Some("litellm")),
        ("app.kubernetes.io/version", version),
    ];
    for (name, value) in standard {
        if let Some(value) = value {
            set_default(object, &["metadata", "labels", name], json!(value));
        }
    }
    for (name, value) in &settings.labels {
        set_default(object, &["metadata", "labels", name], json!(value));
    }
}

/// A tag may be longer than a label value, or end in a character that a label value may not end in.
fn is_label_value(tag: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    tag.len() <= 63
        && is_end(tag.chars().next())
        && is_end(tag.chars().next_back())
        && tag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
