//! What the operator itself knows about its servers, in place of what their statuses say: others can write a status, too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use mcp_operator_api::names::conditions::{AVAILABLE, LITELLM_REGISTERED};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::{ConditionDraft, find};
use mcp_operator_core::desired_entries::{Candidate, not_registered_yet};
use mcp_operator_core::registration_basis::RegistrationBasis;
use mcp_operator_core::remote::relocation::believed_url;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::JudgedServers;

use crate::status_writer::Said;

/// What was said about each server last. A status is believed once, when a process sees a server for the first time: it is
/// what outlives a restart.
#[derive(Default)]
pub(crate) struct Beliefs {
    registered: HashMap<ServerKey, Belief>,
}

struct Belief {
    uid: Option<String>,
    condition: Option<Condition>,
    /// Where the gateway was told that it is, where that is elsewhere.
    remote_url: Option<String>,
}

impl Beliefs {
    /// Takes in servers that are new, and forgets those that are gone.
    pub(crate) fn observe(&mut self, servers: &[&McpServer]) {
        let mut known = mem::take(&mut self.registered);
        for server in servers {
            let (key, uid) = (ServerKey::of(*server), server.meta().uid.clone());
            let belief = known.remove(&key).filter(|belief| belief.uid == uid);
            let belief = belief.unwrap_or_else(|| Belief {
                uid,
                condition: condition(server, LITELLM_REGISTERED).cloned(),
                remote_url: shown_url(server).and_then(believed_url),
            });
            self.registered.insert(key, belief);
        }
    }

    /// Records what is said about the registration of a server from now on.
    pub(crate) fn record(&mut self, said: &Said<'_>) {
        if let Some(belief) = self.registered.get_mut(&ServerKey::of(said.server)) {
            let previous = belief.condition.as_slice();
            let condition = said
                .draft
                .condition(previous, said.generation, Timestamp::now());
            belief.condition = Some(condition);
            belief.remote_url.clone_from(&said.remote_url);
        }
    }

    /// A server, with what the controller found out and what the registration said itself.
    pub(crate) fn candidate<'a>(
        &self,
        server: &'a McpServer,
        judged: &JudgedServers,
    ) -> Candidate<'a> {
        let mut server = Cow::Borrowed(server);
        let is_registered = judged.is_registered_as_judged(&server);
        let judged = judged.get(&server);
        let generation = judged.as_ref().and_then(|judged| judged.generation);
        let generation = generation.or(server.meta().generation);
        let belief = self.registered.get(&ServerKey::of(&*server));
        let belief = belief.filter(|belief| belief.uid == server.meta().uid);
        if let Some(belief) = belief {
            let mut condition = belief.condition.clone();
            // An edit that is not about the registration leaves what was said.
            if let Some(condition) = condition.as_mut().filter(|_| is_registered) {
                condition.observed_generation = generation;
            }
            replace(&mut server, LITELLM_REGISTERED, condition.as_ref());
        }
        if let Some(judged) = &judged {
            replace(&mut server, AVAILABLE, judged.available.as_ref());
        }
        Candidate {
            server,
            basis: judged.map_or(RegistrationBasis::Unknown, |judged| judged.basis),
            generation,
            remote_url: belief.and_then(|belief| belief.remote_url.clone()),
        }
    }

    /// What corrects a condition that says something else than the operator did, with the registered name as it is shown.
    pub(crate) fn correction<'a>(&self, server: &'a McpServer) -> Option<Said<'a>> {
        let shown = condition(server, LITELLM_REGISTERED)?;
        let belief = self.registered.get(&ServerKey::of(server))?;
        let draft = match &belief.condition {
            Some(said) if (&said.status, &said.reason) == (&shown.status, &shown.reason) => {
                return None;
            }
            Some(said) => ConditionDraft::of(LITELLM_REGISTERED, said),
            None => not_registered_yet(),
        };
        let said = belief.condition.as_ref();
        let litellm = server.status.as_ref()?.litellm.as_ref();
        let name = litellm.and_then(|litellm| litellm.name.clone());
        Some(Said {
            server,
            draft,
            registered_name: name.unwrap_or_default(),
            generation: said.map_or(server.meta().generation, |said| said.observed_generation),
            remote_url: belief.remote_url.clone(),
        })
    }
}

/// What the status says of where the gateway was told that the server is.
fn shown_url(server: &McpServer) -> Option<&str> {
    let litellm = server.status.as_ref()?.litellm.as_ref()?;
    litellm.url.as_deref()
}

fn condition<'a>(server: &'a McpServer, kind: &str) -> Option<&'a Condition> {
    find(&server.status.as_ref()?.conditions, kind)
}

/// Copies the server only if it says something else.
fn replace(server: &mut Cow<'_, McpServer>, kind: &str, condition: Option<&Condition>) {
    if self::condition(server, kind) == condition {
        return;
    }
    let status = server.to_mut().status.get_or_insert_default();
    status.conditions.retain(|known| known.type_ != kind);
    status.conditions.extend(condition.cloned());
}

#[cfg(test)]
mod tests {
    use mcp_operator_core::conditions::ConditionStatus;
    use serde_json::{Value, json};

    use super::*;

    fn shown(kind: &str, status: &str) -> Value {
        json!({ "type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" })
    }

    fn server(uid: &str, conditions: &[Value]) -> McpServer {
        serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": { "name": "a", "namespace": "tools", "uid": uid },
            "spec": { "image": { "repository": "acme/mcp" } },
            "status": { "conditions": conditions },
        }))
        .unwrap()
    }

    fn believed(
        beliefs: &Beliefs,
        judged: &JudgedServers,
        server: &McpServer,
        kind: &str,
    ) -> Option<String> {
        let candidate = beliefs.candidate(server, judged);
        condition(&candidate.server, kind).map(|condition| condition.status.clone())
    }

    #[test]
    fn a_status_is_believed_once() {
        let (mut beliefs, judged) = (Beliefs::default(), JudgedServers::default());
        let before = server("1", &[shown(LITELLM_REGISTERED, "True")]);
        beliefs.observe(&[&before]);
        let tampered = server("1", &[shown(LITELLM_REGISTERED, "False")]);
        beliefs.observe(&[&tampered]);
        let says = |beliefs: &Beliefs, server: &McpServer| {
            believed(beliefs, &judged, server, LITELLM_REGISTERED)
        };
        assert_eq!(says(&beliefs, &tampered).as_deref(), Some("True"));
        assert_eq!(says(&beliefs, &server("1", &[])).as_deref(), Some("True"));
        let draft = ConditionDraft::new(LITELLM_REGISTERED, ConditionStatus::Unknown, "R", "");
        beliefs.record(&Said {
            server: &tampered,
            draft,
            registered_name: String::new(),
            generation: Some(1),
            remote_url: None,
        });
        assert_eq!(says(&beliefs, &tampered).as_deref(), Some("Unknown"));
        // A namesake begins anew.
        beliefs.observe(&[&server("2", &[])]);
        assert_eq!(says(&beliefs, &server("2", &[])), None);
    }

    #[test]
    fn whether_pods_serve_is_the_controllers_word() {
        let (mut beliefs, judged) = (Beliefs::default(), JudgedServers::default());
        let tampered = server("1", &[shown(AVAILABLE, "True")]);
        beliefs.observe(&[&tampered]);
        let says = |beliefs: &Beliefs| believed(beliefs, &judged, &tampered, AVAILABLE);
        assert_eq!(says(&beliefs).as_deref(), Some("True"), "after a restart");
        judged.record_available(&tampered, None, Timestamp::now());
        assert_eq!(says(&beliefs), None);
        let down = serde_json::from_value(shown(AVAILABLE, "False")).unwrap();
        judged.record_available(&tampered, Some(down), Timestamp::now());
        assert_eq!(says(&beliefs).as_deref(), Some("False"));
    }
}
