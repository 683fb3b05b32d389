//! Rules in Rego: `MCPPlugin.spec.settings` holds modules as a company has them for Gatekeeper or for conftest.
//!
//! | rule of a module | what `input` is | what it does |
//! |---|---|---|
//! | `violation` | `review`, as Gatekeeper's, and `parameters`, those of the module | refuses |
//! | `deny` | the MCPServer, as conftest's | refuses |
//! | `warn` | the MCPServer, as conftest's | warns |
//!
//! Their elements are texts, or objects with a `msg` and, if there is one to show, a `field`. Modules without such a rule are
//! libraries of the others. What cannot be evaluated refuses; a function that fails is undefined, as in OPA.

mod engine;
mod input;
mod settings;

use engine::Engine;
use mcp_plugin_sdk::prelude::*;
use settings::Settings;

struct Rego;

impl Plugin for Rego {
    type Settings = Settings;

    fn description() -> Description {
        Description::new(
            "rego",
            env!("CARGO_PKG_VERSION"),
            "Rules as Rego modules in the settings, as Gatekeeper and conftest have them",
        )
        .context("namespace")
    }

    fn check_settings(settings: &Settings) -> Vec<Finding> {
        settings.check()
    }
}

impl Validator for Rego {
    fn validate(settings: &Settings, _: &McpServer, request: &Request) -> Vec<Finding> {
        match Engine::new(settings) {
            Ok(mut engine) => engine.judge(settings, request),
            // Settings with an error are not put into force; whatever comes here all the same refuses.
            Err(error) => vec![Finding::forbidden("settings", "", error.message)],
        }
    }
}

mcp_plugin_sdk::export!(Rego: Validator);

#[cfg(test)]
mod tests;
