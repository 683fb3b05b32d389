//! @SUMMARY@: one key of a ConfigMap, for a gateway that watches it.

use mcp_plugin_sdk::{
    Action, ConfigKey, ConfigKeyWrite, Observed, Plan, Read, ReadSource, Registration,
    RegistrationState, Registry, Step, prelude::*,
};
use serde::Deserialize;
use serde_json::json;

struct Strategy;

/// `MCPPlugin.spec.settings`: namespace and name of the ConfigMap.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    namespace: String,
    name: String,
}

impl Settings {
    fn key(&self) -> ConfigKey {
        ConfigKey {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            key: "servers.json".into(),
        }
    }
}

impl Plugin for Strategy {
    type Settings = Settings;

    fn description() -> Description {
        Description::new(
            "@NAME@",
            env!("CARGO_PKG_VERSION"),
            "@SUMMARY@",
        )
    }
}

impl Registrar for Strategy {
    /// What must be known before the plan. The operator reads it, by the grants of the MCPPlugin.
    fn observe(settings: &Settings) -> Vec<Read> {
        vec![Read {
            id: "list".into(),
            source: ReadSource::ConfigKey(settings.key()),
            written: true,
        }]
    }

    /// What is to be done, from what was found. Without steps, everything is as it should be.
    fn plan(settings: &Settings, registry: &Registry) -> Plan {
        let entries = registry
            .servers
            .iter()
            .map(|server| json!({ "name": server.key(), "url": server.url }));
        let list = json!(entries.collect::<Vec<_>>()).to_string();
        // Without servers the key is removed, so that nothing is left behind.
        let wanted = (!registry.servers.is_empty()).then_some(list);
        let is_written = matches!(registry.observed("list"), Some(Observed::ConfigKey(found)) if *found == wanted);
        let write = Action::WriteConfigKey(ConfigKeyWrite {
            key: settings.key(),
            content: wanted,
        });
        let steps = (!is_written).then_some(Step {
            action: write,
            servers: Vec::new(),
        });
        let registration = |server: &mcp_plugin_sdk::Server| Registration {
            server: server.key(),
            registered_name: server.key(),
            state: if is_written {
                RegistrationState::Registered
            } else {
                RegistrationState::Pending
            },
            reason: if is_written { "Listed" } else { "Listing" }.into(),
            message: format!(
                "{} in the list",
                if is_written { "Is" } else { "Is being put" }
            ),
        };
        Plan {
            steps: steps.into_iter().collect(),
            registrations: registry.servers.iter().map(registration).collect(),
        }
    }
}

mcp_plugin_sdk::export!(Strategy: Registrar);
