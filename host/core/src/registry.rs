//! Which servers the gateway should know.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use mcp_operator_api::names::conditions::{AVAILABLE, LITELLM_REGISTERED};
use mcp_operator_api::v1alpha1::{LiteLlmAuth, McpServer, Phase};

use crate::build::{self, Settings};
use crate::conditions::{self, Statement, Truth};

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
    /// How the gateway authenticates to the server.
    pub auth: Option<LiteLlmAuth>,
}

/// The servers that should be registered, and when that changes by nothing but time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Sorted by namespace and name.
    pub entries: Vec<Entry>,
    /// When the next grace period or probation ends.
    pub look_again: Option<Timestamp>,
    /// Until when new servers may be about to serve: the list is about to change, and had better change once.
    pub arriving: Option<Timestamp>,
}

impl Desired {
    /// Also keeps a server that cannot be read now, as it was.
    pub fn keep(&mut self, entry: Entry) {
        if let Err(place) = self.position(&entry.namespace, &entry.name) {
            self.entries.insert(place, entry);
        }
    }

    /// A server's entry.
    pub fn find(&self, namespace: &str, name: &str) -> Option<&Entry> {
        let found = self.position(namespace, name).ok()?;
        self.entries.get(found)
    }

    /// Where a server is in the list, or would be.
    fn position(&self, namespace: &str, name: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| (&*entry.namespace, &*entry.name).cmp(&(namespace, name)))
    }

    /// `namespace/name` of each server.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.entries
            .iter()
            .map(|entry| format!("{}/{}", entry.namespace, entry.name))
    }
}

/// How long something must last before it changes the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long a registered server may be without a serving pod.
    pub grace: SignedDuration,
    /// How long one that left for that must serve without a pause before it comes back. Without it, one that serves for
    /// seconds and crashes again would come and go for ever.
    pub probation: SignedDuration,
    /// How long a new server is expected to serve, from when it was first seen not to.
    pub arrival: SignedDuration,
}

/// Makes the list from all MCPServers.
///
/// A server enters when a pod of it serves. Once it is in, it leaves only when it is deleted, opted out, or without a
/// single serving pod for too long: every change of the list may restart the gateway, so a rollout, even one that is
/// stuck, or a restarted pod must not change it.
pub fn desired<'a>(
    servers: impl IntoIterator<Item = &'a McpServer>,
    settings: &Settings,
    patience: Patience,
    now: Timestamp,
) -> Desired {
    let mut desired = Desired::default();
    for server in servers {
        let (is_in, until) = membership(server, patience).at(now);
        desired.look_again = desired.look_again.into_iter().chain(until).min();
        let arrives = arrival(server, patience, now);
        desired.arriving = desired.arriving.into_iter().chain(arrives).max();
        if is_in {
            desired.entries.push(entry(server, settings));
        }
    }
    desired
        .entries
        .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    desired
}

/// Whether a server is in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Membership {
    In,
    Out,
    /// In until then, if nothing changes.
    Grace(Timestamp),
    /// Out until then, if nothing changes.
    Probation(Timestamp),
}

impl Membership {
    /// Whether it is in now, and when that changes by nothing but time.
    fn at(self, now: Timestamp) -> (bool, Option<Timestamp>) {
        match self {
            Self::In => (true, None),
            Self::Out => (false, None),
            Self::Grace(end) => (now < end, Some(end).filter(|end| now < *end)),
            Self::Probation(end) => (now >= end, Some(end).filter(|end| now < *end)),
        }
    }
}

fn membership(server: &McpServer, patience: Patience) -> Membership {
    if !server.spec.litellm.auto_register || server.metadata.deletion_timestamp.is_some() {
        return Membership::Out;
    }
    let available = conditions::find(conditions_of(server), AVAILABLE);
    let status = truth(available);
    let after = |time: SignedDuration| {
        let since = available.map_or(Timestamp::MAX, |available| available.last_transition_time.0);
        since.checked_add(time).unwrap_or(Timestamp::MAX)
    };
    match (status, Past::of(server)) {
        ("True", Past::Left) => Membership::Probation(after(patience.probation)),
        ("False", Past::In) => Membership::Grace(after(patience.grace)),
        // Whoever cannot know whether it serves changes nothing.
        ("True", Past::New) | (_, Past::In) => Membership::In,
        (_, Past::Left | Past::New) => Membership::Out,
    }
}

/// How long a new server may wait until it is looked at: in a burst, its turn comes late.
const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(3);

/// Until when a new server is expected to serve. `None` for one that serves, has had its time, or that somebody must do
/// something about.
fn arrival(server: &McpServer, patience: Patience, now: Timestamp) -> Option<Timestamp> {
    let wants = server.spec.litellm.auto_register && server.metadata.deletion_timestamp.is_none();
    let phase = server.status.as_ref().and_then(|status| status.phase);
    let available = conditions::find(conditions_of(server), AVAILABLE);
    let is_new = Past::of(server) == Past::New && truth(available) != "True";
    if !wants || !is_new || phase == Some(Phase::Failed) {
        return None;
    }
    let (since, time) = match available {
        Some(available) => (available.last_transition_time.0, patience.arrival),
        None => (server.creation_timestamp()?.0, FIRST_LOOK),
    };
    let end = since.checked_add(time).ok()?;
    // Another clock may say that this began in the future.
    let latest = now.checked_add(patience.arrival).ok()?;
    (now < end).then(|| end.min(latest))
}

fn truth(condition: Option<&Condition>) -> &str {
    condition.map_or("Unknown", |condition| condition.status.as_str())
}

/// Where a server was before. It is kept where it survives a restart: in the condition itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    New,
    In,
    /// It left, and its specification has not changed since. One that has opted out and in again is new.
    Left,
}

impl Past {
    fn of(server: &McpServer) -> Self {
        let Some(condition) = conditions::find(conditions_of(server), LITELLM_REGISTERED) else {
            return Self::New;
        };
        let is_out = matches!(condition.reason.as_str(), GONE | LEAVING);
        let is_of_now = condition.observed_generation == server.metadata.generation;
        match (is_out, is_of_now) {
            (false, _) => Self::In,
            (true, true) => Self::Left,
            (true, false) => Self::New,
        }
    }
}

/// Reason of `LiteLLMRegistered` for a server that is not in the list.
const GONE: &str = "NotRegistered";
/// The same, while the gateway may still know it.
const LEAVING: &str = "Deregistering";

/// What `LiteLLMRegistered` says about a server that is not in the list; nothing for a server that was never registered
/// and is on its way. `may_remain`: the gateway may still know it.
pub fn not_wanted(server: &McpServer, patience: Patience, may_remain: bool) -> Option<Statement> {
    let previous = conditions::find(conditions_of(server), LITELLM_REGISTERED);
    let why = if !server.spec.litellm.auto_register {
        // A new one that never was meant to be in: its objects come first, and its own status.
        server.status.as_ref()?.observed_generation?;
        "spec.litellm.autoRegister is false".to_owned()
    } else if server.metadata.deletion_timestamp.is_some() {
        "it is being deleted".to_owned()
    } else {
        previous?;
        match membership(server, patience) {
            Membership::Probation(end) => {
                format!(
                    "no pod served for too long. It comes back at {end} if pods serve until then"
                )
            }
            _ => "no pod serves".to_owned(),
        }
    };
    let statement =
        |truth, reason, message| Statement::new(LITELLM_REGISTERED, truth, reason, message);
    Some(
        if may_remain && previous.is_some_and(|previous| previous.reason != GONE) {
            statement(Truth::Unknown, LEAVING, format!("Being removed: {why}"))
        } else {
            statement(Truth::False, GONE, format!("Not registered: {why}"))
        },
    )
}

/// Whether a condition must be kept although the registrar says that the server is pending: it was
/// registered as it is now, and only others change. The gateway keeps serving it meanwhile. Not where it was seen that
/// the gateway does not know it.
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
        auth: litellm.auth,
        name,
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
