//! The default rules for MCPServers.
//!
//! | code | demands |
//! |---|---|
//! | `image-registry` | the image comes from an approved registry: an account of Amazon ECR, or one of `allowedRegistries` |
//! | `image-tag` | the image has a tag other than `latest`, or a digest |
//! | `transport` | `sse` or `http` |
//! | `transport-deprecated` | a warning about `sse`, which MCP has deprecated |
//! | `resource-limits` | limits of CPU and memory |
//! | `resource-requests` | requests that are no more than the limits; quantities that are positive |
//! | `replicas` | at least one pod |
//! | `secret-key` | every secret that is not optional names its key in the secret store |
//!
//! Of a server that runs elsewhere (`spec.remote`), what is about images and pods says nothing.

mod rules;
mod settings;

use mcp_plugin_sdk::prelude::*;
pub use settings::{Ecr, Settings};

pub struct Validation;

impl Plugin for Validation {
    type Settings = Settings;

    fn description() -> Description {
        rules::ALL.iter().fold(
            Description::new(
                "validation",
                env!("CARGO_PKG_VERSION"),
                "The default rules of the MCP Server Operator",
            ),
            |description, rule| description.rule(rule.code, rule.summary),
        )
    }

    fn check_settings(settings: &Settings) -> Vec<Finding> {
        settings.check(&rules::ALL.map(|rule| rule.code))
    }
}

impl Validator for Validation {
    fn validate(settings: &Settings, server: &McpServer, _: &Request) -> Vec<Finding> {
        let enabled =
            |rule: &&rules::Rule| !settings.disabled_rules.iter().any(|code| code == rule.code);
        rules::ALL
            .iter()
            .filter(enabled)
            .flat_map(|rule| (rule.check)(settings, server))
            .collect()
    }
}

mcp_plugin_sdk::export!(Validation: Validator);
