//! @SUMMARY@.

use mcp_plugin_sdk::prelude::*;
use serde::Deserialize;

struct Rule;

/// `spec.settings` of the MCPPlugin. What cannot be read is refused, with the name of the place.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// The label that says who owns a server.
    label: String,
}

impl Plugin for Rule {
    type Settings = Settings;

    fn description() -> Description {
        Description::new("@NAME@", env!("CARGO_PKG_VERSION"), "@SUMMARY@")
            .rule("owner", "the label of the settings is there")
            .settings_schema(
                r#"{"type":"object","required":["label"],"properties":{"label":{"type":"string"}}}"#,
            )
    }
}

impl Validator for Rule {
    /// Everything that is wrong, at once. `Finding::invalid` shows a value, `.warning()` never refuses.
    fn validate(settings: &Settings, server: &McpServer, _: &Request) -> Vec<Finding> {
        if server.metadata.labels.contains_key(&settings.label) {
            return Vec::new();
        }
        let field = Path::new("metadata").child("labels").key(&settings.label);
        vec![Finding::required("owner", field, "say who owns this server")]
    }
}

mcp_plugin_sdk::export!(Rule: Validator);

#[cfg(test)]
mod tests {
    use mcp_plugin_sdk::testing;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_without_an_owner_is_refused() {
        let settings = testing::settings(json!({ "label": "owner" }));
        let server = testing::server(json!({ "image": { "repository": "ghcr.io/acme/mcp" } }));
        let findings = Rule::validate(&settings, &server, &Request::default());
        assert_eq!(findings[0].field, "metadata.labels[owner]");
    }
}
