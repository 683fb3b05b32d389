//! @SUMMARY@.

use mcp_plugin_sdk::prelude::*;
use serde::Deserialize;

struct Defaults;

/// `spec.settings` of the MCPPlugin. What cannot be read is refused, with the name of the place.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// The PriorityClass of pods that have none.
    priority_class: String,
}

impl Plugin for Defaults {
    type Settings = Settings;

    fn description() -> Description {
        Description::new("@NAME@", env!("CARGO_PKG_VERSION"), "@SUMMARY@")
            .rule("priority", "pods without a PriorityClass get that of the settings")
    }
}

impl Defaulter for Defaults {
    /// Changes a copy; the SDK finds the difference. What is set is never overruled, and a second call changes nothing.
    /// What may be changed is listed in `sdk/mcp-plugin-sdk/wit/defaulter.wit`.
    fn complete(settings: &Settings, object: &mut Object, _: &DefaultingRequest) {
        if object.kind() != "Deployment" {
            return;
        }
        let path = ["spec", "template", "spec", "priorityClassName"];
        let class = serde_json::json!(settings.priority_class);
        object.apply("priority", |deployment| set_default(deployment, &path, class));
    }
}

mcp_plugin_sdk::export!(Defaults: Defaulter);

#[cfg(test)]
mod tests {
    use mcp_plugin_sdk::testing;
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_without_a_priority_get_one() {
        let settings = testing::settings(json!({ "priorityClass": "low" }));
        let server = testing::server(json!({ "image": { "repository": "ghcr.io/acme/mcp" } }));
        let deployment = json!({ "kind": "Deployment" });
        let done = testing::complete::<Defaults>(&settings, deployment, server, Stage::Reconcile);
        assert_eq!(done["spec"]["template"]["spec"]["priorityClassName"], "low");
    }
}
