//! Writes `Registrar` on MCPPlugins: which of them registers, and what another waits for. Its transitions are events.

use std::collections::HashMap;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, Resource};
use mcp_operator_api::names::conditions::REGISTRAR;
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, field_managers};
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_core::conditions::{Statement, Truth, contained, find};
use serde_json::json;
use tracing::warn;

use super::succession::Turn;
use crate::events::Events;
use crate::plugins::{ActivePlugin, Snapshot};

/// The conditions, and what was said last.
pub(super) struct PluginConditions {
    client: Client,
    events: Events,
    /// By name of the MCPPlugin, with its version.
    told: HashMap<String, (String, Statement)>,
}

impl PluginConditions {
    pub(super) fn new(client: Client, events: Events) -> Self {
        Self {
            client,
            events,
            told: HashMap::new(),
        }
    }

    /// Says how it stands with all registrars; whether all could be told.
    pub(super) async fn tell(&mut self, plugins: &Snapshot, turn: &Turn) -> bool {
        let mut all = true;
        for plugin in plugins.registrars() {
            let Some(statement) = about(plugin, turn) else {
                continue;
            };
            let said = (plugin.fingerprint().to_owned(), statement);
            if self.told.get(plugin.name()) == Some(&said) {
                continue;
            }
            match self.write(plugin.name(), &said.1).await {
                Ok(()) => _ = self.told.insert(plugin.name().to_owned(), said),
                Err(error) => {
                    warn!(plugin = plugin.name(), %error, "Registrar not written");
                    all = false;
                }
            }
        }
        all
    }

    async fn write(&self, name: &str, statement: &Statement) -> kube::Result<()> {
        let api: Api<McpPlugin> = Api::all(self.client.clone());
        let Some(plugin) = api.get_opt(name).await? else {
            // Deleted in the meantime: there is nobody left to tell.
            return Ok(());
        };
        let previous = plugin
            .status
            .as_ref()
            .map_or(&[][..], |status| &status.conditions);
        let condition = statement.condition(previous, plugin.metadata.generation, Timestamp::now());
        if contained(std::slice::from_ref(&condition), previous) {
            return Ok(());
        }
        let told =
            find(previous, REGISTRAR).is_some_and(|before| before.reason == condition.reason);
        let body = json!({
            "apiVersion": API_VERSION, "kind": PLUGIN_KIND, "metadata": { "name": name },
            "status": { "conditions": [condition] },
        });
        let params = PatchParams::apply(field_managers::REGISTRY).force();
        api.patch_status(name, &params, &Patch::Apply(&body))
            .await?;
        if !told {
            self.publish(&plugin, statement).await;
        }
        Ok(())
    }

    async fn publish(&self, plugin: &McpPlugin, statement: &Statement) {
        let event = Event {
            type_: EventType::Normal,
            reason: format!("Registrar{}", statement.reason),
            note: Some(statement.message.chars().take(1000).collect()),
            action: "Register".into(),
            secondary: None,
        };
        self.events.publish(&event, &plugin.object_ref(&())).await;
    }
}

fn about(plugin: &ActivePlugin, turn: &Turn) -> Option<Statement> {
    let name = plugin.name();
    let said = |truth, reason: &str, message: String| {
        Some(Statement::new(REGISTRAR, truth, reason, message))
    };
    let in_force = "MCPServers are registered by this plugin";
    match turn {
        Turn::Nobody => None,
        Turn::Failing { coming, why } => (coming.name() == name)
            .then(|| Statement::new(REGISTRAR, Truth::Unknown, "TakingOver", why.to_string())),
        Turn::Of {
            registrar,
            waiting: Some((coming, why)),
            ..
        } if coming.name() == name => {
            let meanwhile = if registrar.name() == name {
                "what this MCPPlugin was before"
            } else {
                registrar.name()
            };
            said(
                Truth::Unknown,
                "TakingOver",
                format!("Waits, and {meanwhile} registers meanwhile: {why}"),
            )
        }
        Turn::Of {
            registrar,
            waiting: Some((coming, _)),
            ..
        } if registrar.name() == name => said(
            Truth::True,
            "InForce",
            format!("{in_force} until {} can take over", coming.name()),
        ),
        Turn::Of {
            registrar,
            stuck: Some(why),
            ..
        } if registrar.name() == name => said(Truth::True, "InForce", format!("{in_force}; {why}")),
        Turn::Of { registrar, .. } if registrar.name() == name => {
            said(Truth::True, "InForce", in_force.into())
        }
        Turn::Of { registrar, .. } => said(
            Truth::False,
            "Standby",
            format!("MCPServers are registered by {}", registrar.name()),
        ),
        Turn::Between {
            coming,
            leaving,
            message,
        } if coming.name() == name => said(
            Truth::Unknown,
            "TakingOver",
            format!("Begins when {leaving} has left: {message}"),
        ),
        Turn::Between {
            leaving,
            coming,
            message,
        } if leaving == name => said(
            Truth::False,
            "Leaving",
            format!("Leaves to {}: {message}", coming.name()),
        ),
        Turn::Between { coming, .. } => said(
            Truth::False,
            "Standby",
            format!("MCPServers are registered by {}", coming.name()),
        ),
    }
}
