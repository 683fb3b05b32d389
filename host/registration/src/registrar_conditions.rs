//! The condition `Registrar` on MCPPlugins: which of them registers, and what another one waits for. Its transitions are
//! events.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, Resource};
use mcp_operator_api::names::conditions::REGISTRAR;
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, field_managers};
use mcp_operator_api::v1alpha1::McpPlugin;
use mcp_operator_core::conditions::{ConditionDraft, ConditionStatus, find, unchanged};
use mcp_operator_runtime::{ApiError, Events, request};
use serde_json::json;
use tracing::warn;

use crate::registrars::Registrar;
use crate::selection::Selection;

/// Writes the conditions, and remembers what was written last.
pub(crate) struct RegistrarConditions {
    client: Client,
    events: Events,
    /// By name of the MCPPlugin, with its uid and the registrar's fingerprint.
    written: HashMap<String, (String, String, ConditionDraft)>,
}

impl RegistrarConditions {
    pub(crate) fn new(client: Client, events: Events) -> Self {
        Self {
            client,
            events,
            written: HashMap::new(),
        }
    }

    /// Writes the condition of each registrar, where it says something new; whether all could be written.
    pub(crate) async fn write<R: Registrar>(
        &mut self,
        candidates: &[Arc<R>],
        selection: &Selection<R>,
    ) -> bool {
        let is_candidate = |name: &String| candidates.iter().any(|it| it.name() == name);
        self.written.retain(|name, _| is_candidate(name));
        let mut all = true;
        for registrar in candidates {
            let name = registrar.name();
            let Some(draft) = condition_of(name, selection) else {
                continue;
            };
            let (uid, fingerprint) = (registrar.uid().to_owned(), registrar.fingerprint());
            let current = (uid, fingerprint.to_owned(), draft);
            if self.written.get(name) == Some(&current) {
                continue;
            }
            match self.write_one(name, &current.2).await {
                Ok(()) => _ = self.written.insert(name.to_owned(), current),
                Err(error) => {
                    warn!(plugin = name, %error, "Registrar not written");
                    all = false;
                }
            }
        }
        all
    }

    async fn write_one(&self, name: &str, draft: &ConditionDraft) -> Result<(), ApiError> {
        let api: Api<McpPlugin> = Api::all(self.client.clone());
        let get = request(|| format!("get MCPPlugin {name}"), api.get_opt(name));
        let Some(plugin) = get.await? else {
            // Deleted in the meantime: nobody reads its conditions.
            return Ok(());
        };
        let status = plugin.status.as_ref();
        let previous = status.map_or(&[][..], |status| &status.conditions);
        let condition = draft.condition(previous, plugin.metadata.generation, Timestamp::now());
        if unchanged(std::slice::from_ref(&condition), previous) {
            return Ok(());
        }
        let is_transition =
            find(previous, REGISTRAR).is_none_or(|before| before.reason != condition.reason);
        let body = json!({
            "apiVersion": API_VERSION, "kind": PLUGIN_KIND,
            // Not for a namesake that was made in the meantime.
            "metadata": { "name": name, "uid": plugin.metadata.uid },
            "status": { "conditions": [condition] },
        });
        let params = PatchParams::apply(field_managers::REGISTRY).force();
        let patch = Patch::Apply(&body);
        let write = api.patch_status(name, &params, &patch);
        request(|| format!("write status of MCPPlugin {name}"), write).await?;
        if is_transition {
            self.publish(&plugin, draft).await;
        }
        Ok(())
    }

    async fn publish(&self, plugin: &McpPlugin, draft: &ConditionDraft) {
        let event = Event {
            type_: EventType::Normal,
            reason: format!("Registrar{}", draft.reason),
            note: Some(draft.message.clone()),
            action: "Register".into(),
            secondary: None,
        };
        self.events.publish(event, &plugin.object_ref(&())).await;
    }
}

/// What the condition of the registrar `name` should say; nothing if that is not known.
fn condition_of<R: Registrar>(name: &str, selection: &Selection<R>) -> Option<ConditionDraft> {
    let draft = |status, reason: &str, message: String| {
        Some(ConditionDraft::new(REGISTRAR, status, reason, message))
    };
    let taking_over = |message| draft(ConditionStatus::Unknown, "TakingOver", message);
    match selection {
        Selection::CandidateFailed { candidate, error } if candidate.name() == name => {
            taking_over(error.to_string())
        }
        Selection::NoRegistrar | Selection::CandidateFailed { .. } => None,
        Selection::Active {
            registrar,
            waiting: Some(waiting),
            ..
        }
        | Selection::Draining {
            registrar,
            waiting: Some(waiting),
            ..
        } if waiting.candidate.name() == name => {
            let meanwhile = if registrar.name() == name {
                "what this MCPPlugin was before"
            } else {
                registrar.name()
            };
            let reason = &waiting.reason;
            taking_over(format!(
                "Waits, and {meanwhile} registers meanwhile: {reason}"
            ))
        }
        Selection::Active {
            registrar,
            waiting,
            drain_stuck,
        } if registrar.name() == name => {
            let until = match (waiting, drain_stuck) {
                (Some(waiting), _) => format!(" until {} can take over", waiting.candidate.name()),
                (None, Some(why)) => format!("; {why}"),
                (None, None) => String::new(),
            };
            let message = format!("MCPServers are registered by this plugin{until}");
            draft(ConditionStatus::True, "InForce", message)
        }
        Selection::Draining {
            registrar,
            previous,
            progress,
            ..
        } if registrar.name() == name => {
            taking_over(format!("Begins when {previous} has left: {progress}"))
        }
        Selection::Draining {
            registrar,
            previous,
            progress,
            ..
        } if previous == name => {
            let message = format!("Leaves to {}: {progress}", registrar.name());
            draft(ConditionStatus::False, "Leaving", message)
        }
        Selection::Active { registrar, .. } | Selection::Draining { registrar, .. } => {
            let message = format!("MCPServers are registered by {}", registrar.name());
            draft(ConditionStatus::False, "Standby", message)
        }
    }
}

#[cfg(test)]
#[path = "registrar_conditions_tests.rs"]
mod tests;
