//! A sample rule: every MCP server names the team that owns it.

use mcp_plugin_sdk::prelude::*;

struct RequireTeamLabel;

impl Plugin for RequireTeamLabel {
    type Settings = NoSettings;

    fn description() -> Description {
        Description::new(
            "require-team-label",
            env!("CARGO_PKG_VERSION"),
            "Every MCP server names the team that owns it",
        )
        .rule("team-label", "metadata.labels[team] is set")
    }
}

impl Validator for RequireTeamLabel {
    fn validate(_: &NoSettings, server: &McpServer, _: &Request) -> Vec<Finding> {
        if server.metadata.labels.contains_key("team") {
            return Vec::new();
        }
        let field = Path::new("metadata").child("labels").key("team");
        vec![Finding::required(
            "team-label",
            field,
            "say which team owns this server, for example `team: payments`",
        )]
    }
}

mcp_plugin_sdk::export!(RequireTeamLabel: Validator);

#[cfg(test)]
mod tests {
    use mcp_plugin_sdk::testing;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_without_a_team_is_refused() {
        let mut server = testing::server(json!({ "image": { "repository": "ghcr.io/acme/mcp" } }));
        let findings = RequireTeamLabel::validate(&NoSettings {}, &server, &Request::default());
        assert_eq!(findings[0].field, "metadata.labels[team]");
        server
            .metadata
            .labels
            .insert("team".into(), "payments".into());
        assert!(
            RequireTeamLabel::validate(&NoSettings {}, &server, &Request::default()).is_empty()
        );
    }
}
