//! Rules as expressions: `MCPPlugin.spec.settings` holds validations in CEL, in the words of Kubernetes'
//! ValidatingAdmissionPolicy, over MCPServers.
//!
//! | name in expressions | what it is |
//! |---|---|
//! | `object` | the MCPServer as it would be stored |
//! | `oldObject` | the MCPServer as it is stored, `null` when it is created |
//! | `namespaceObject` | its namespace: `metadata.name`, `metadata.labels`, `metadata.annotations` |
//! | `request` | `operation`, `name`, `namespace`, `dryRun`, `kind`, `userInfo.username`, `.uid`, `.groups` and `.extra` |
//! | `rendered` | list of the Kubernetes objects that the server becomes, before defaults of plugins |
//! | `params` | `params` of the settings |
//! | `variables` | `variables` of the settings, each of which may use those before it |
//!
//! What cannot be evaluated refuses. A validation that asks for `oldObject` or `request.userInfo` is about a request, and is
//! judged at admission only: a stored server has neither.

mod ast;
mod bindings;
mod check;
mod engine;
mod errors;
mod expression;
mod fast;
mod field;
mod fields;
mod functions;
mod nesting;
mod policy;
mod settings;

use mcp_plugin_sdk::prelude::*;
use settings::Settings;

struct Cel;

impl Plugin for Cel {
    type Settings = Settings;

    fn description() -> Description {
        Description::new(
            "cel",
            env!("CARGO_PKG_VERSION"),
            "Rules as CEL expressions in the settings, in the words of ValidatingAdmissionPolicy",
        )
        .context(bindings::NAMESPACE)
        .context(bindings::RENDERED)
        .settings_schema(settings::SCHEMA)
    }

    fn check_settings(settings: &Settings) -> Vec<Finding> {
        check::check(settings)
    }
}

impl Validator for Cel {
    fn validate(settings: &Settings, _: &McpServer, request: &Request) -> Vec<Finding> {
        policy::judge(settings, request)
    }
}

mcp_plugin_sdk::export!(Cel: Validator);

#[cfg(test)]
mod tests;
