//! Defaults that make what the operator generates pass Pod Security `restricted` and the policies that platform teams
//! commonly enforce with OPA Gatekeeper: limits, required labels, no privileges. Probes are the operator's, by what the
//! MCPServer says of them.
//!
//! At admission, `default-resources` completes the MCPServer if the setting `defaultResources` is given. At reconcile, all
//! others complete the generated objects. Values that are set are never overruled.

mod labels;
mod pod;
mod resources;
mod settings;

use mcp_plugin_sdk::prelude::*;
pub use settings::Settings;

/// The defaulter.
pub struct Compliance;

impl Plugin for Compliance {
    type Settings = Settings;

    fn description() -> Description {
        Description::new(
            "compliance",
            env!("CARGO_PKG_VERSION"),
            "Secure defaults: Pod Security restricted, resources, labels",
        )
        .rule(
            "default-resources",
            "an MCPServer without requests or limits gets those of the settings, as far as they fit what it says itself",
        )
        .rule("pod-security", "pods satisfy Pod Security restricted")
        .rule(
            "read-only-root",
            "the root file system is read-only, with a folder /tmp to write in",
        )
        .rule(
            "service-account-token",
            "pods get no token for the Kubernetes API",
        )
        .rule(
            "standard-labels",
            "every object carries Kubernetes' recommended labels",
        )
    }

    fn check_settings(settings: &Settings) -> Vec<Finding> {
        settings.check()
    }
}

impl Defaulter for Compliance {
    /// At admission, only `default-resources` completes anything.
    fn is_concerned(settings: &Settings, stage: Stage) -> bool {
        stage != Stage::Admission || settings.default_resources.is_some()
    }

    fn complete(settings: &Settings, object: &mut Object, request: &DefaultingRequest) {
        let mut rule = |code: &str, change: &dyn Fn(&mut serde_json::Value)| {
            if settings.is_enabled(code) {
                object.apply(code, change);
            }
        };
        if request.stage == Stage::Admission {
            rule("default-resources", &|server| {
                resources::complete(settings, server);
            });
            return;
        }
        rule("default-resources", &|object| {
            resources::complete(settings, object);
        });
        rule("pod-security", &pod::restrict);
        rule("read-only-root", &pod::read_only_root);
        rule("service-account-token", &pod::no_token);
        rule("standard-labels", &|object| {
            labels::complete(settings, object, &request.server);
        });
    }
}

mcp_plugin_sdk::export!(Compliance: Defaulter);

#[cfg(test)]
mod tests;
