//! Which servers the gateway should know.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use mcp_operator_api::names::conditions::{DEPLOYMENT_READY, LITELLM_REGISTERED};
use mcp_operator_api::v1alpha1::McpServer;

use crate::build::{self, Settings};
use crate::conditions::{self, Statement, Truth};
use crate::status::reasons;

/// A server that the gateway should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Namespace of the MCPServer.
    pub namespace: String,
    /// Name of the MCPServer.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its time of creation, RFC 3339.
    pub created: String,
    /// Its labels, sorted.
    pub labels: Vec<(String, String)>,
    /// Full URL of the MCP endpoint.
    pub url: String,
    /// `http` or `sse`.
    pub transport: &'static str,
    /// What the gateway's users read.
    pub description: String,
    /// Access groups.
    pub access_groups: Vec<String>,
    /// Tools that are offered; empty: all.
    pub allowed_tools: Vec<String>,
}

/// The servers that should be registered, and when that changes by nothing but time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Sorted by namespace and name.
    pub entries: Vec<Entry>,
    /// When the next grace period ends.
    pub look_again: Option<Timestamp>,
}

impl Desired {
    /// `namespace/name` of each server.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.entries
            .iter()
            .map(|entry| format!("{}/{}", entry.namespace, entry.name))
    }
}

/// Makes the list from all MCPServers.
///
/// A server enters when all its pods serve. Once it is in, it leaves only when it is deleted, opted
/// out, or without a single serving pod for longer than `grace`: every change of the list may restart
/// the gateway, so a rollout or a restarted pod must not change it.
pub fn desired<'a>(
    servers: impl IntoIterator<Item = &'a McpServer>,
    settings: &Settings,
    grace: SignedDuration,
    now: Timestamp,
) -> Desired {
    let mut desired = Desired::default();
    for server in servers {
        match membership(server, grace, now) {
            Membership::Out => continue,
            Membership::In => {}
            Membership::Until(end) => {
                desired.look_again =
                    Some(desired.look_again.map_or(end, |earlier| earlier.min(end)));
            }
        }
        desired.entries.push(entry(server, settings));
    }
    desired
        .entries
        .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    desired
}

enum Membership {
    Out,
    In,
    Until(Timestamp),
}

fn membership(server: &McpServer, grace: SignedDuration, now: Timestamp) -> Membership {
    if !server.spec.litellm.auto_register || server.metadata.deletion_timestamp.is_some() {
        return Membership::Out;
    }
    let conditions = conditions_of(server);
    let Some(deployment) = conditions::find(conditions, DEPLOYMENT_READY) else {
        return Membership::Out;
    };
    if deployment.status == "True" {
        return Membership::In;
    }
    // Whether it is in is kept where it survives a restart: in the condition itself.
    let is_in = conditions::find(conditions, LITELLM_REGISTERED)
        .is_some_and(|condition| condition.reason != NOT_WANTED);
    let serves = deployment.reason == reasons::PROGRESSING;
    let end = deployment
        .last_transition_time
        .0
        .checked_add(grace)
        .unwrap_or(Timestamp::MAX);
    match (is_in, serves) {
        (true, true) => Membership::In,
        (true, false) if now < end => Membership::Until(end),
        (false, _) | (true, false) => Membership::Out,
    }
}

/// Reason of `LiteLLMRegistered` for a server that is not in the list.
const NOT_WANTED: &str = "NotRegistered";

/// What `LiteLLMRegistered` says about a server that is not in the list; nothing for a server that
/// was never registered and is on its way.
pub fn not_wanted(server: &McpServer) -> Option<Statement> {
    let message = if server.spec.litellm.auto_register {
        conditions::find(conditions_of(server), LITELLM_REGISTERED)?;
        "Not registered: no pod serves"
    } else {
        "Not registered: spec.litellm.autoRegister is false"
    };
    Some(Statement::new(
        LITELLM_REGISTERED,
        Truth::False,
        NOT_WANTED,
        message,
    ))
}

/// Whether a condition must be kept although the registrar says that the server is pending: it was
/// registered as it is now, and only others change. The gateway keeps serving it meanwhile.
pub fn still_registered(server: &McpServer) -> bool {
    conditions::find(conditions_of(server), LITELLM_REGISTERED).is_some_and(|condition| {
        condition.status == "True" && condition.observed_generation == server.metadata.generation
    })
}

fn conditions_of(server: &McpServer) -> &[Condition] {
    server
        .status
        .as_ref()
        .map_or(&[], |status| &status.conditions)
}

fn entry(server: &McpServer, settings: &Settings) -> Entry {
    let litellm = &server.spec.litellm;
    let name = server.name_any();
    let created = server
        .creation_timestamp()
        .map(|time| time.0.to_string())
        .unwrap_or_default();
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list.dedup();
        list
    };
    Entry {
        namespace: server.namespace().unwrap_or_default(),
        uid: server.uid().unwrap_or_default(),
        created,
        labels: server
            .labels()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        url: build::service_url(server, settings, server.spec.port) + server.spec.endpoint_path(),
        transport: server.spec.transport.as_str(),
        description: litellm
            .description
            .clone()
            .unwrap_or_else(|| format!("Auto-registered from MCPServer/{name}")),
        access_groups: sorted(&litellm.allowed_user_groups),
        allowed_tools: sorted(&litellm.allowed_tools),
        name,
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
