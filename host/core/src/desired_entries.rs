//! Which servers the gateway should know.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use mcp_operator_api::names::conditions::{AVAILABLE, LITELLM_REGISTERED};
use mcp_operator_api::v1alpha1::{LiteLlm, McpServer, Phase};

use crate::build::{self, Settings};
use crate::conditions::{self, ConditionDraft, ConditionStatus};
use crate::registration_basis::RegistrationBasis;
use crate::server_key::ServerKey;
use serde::Serialize;

/// A server that the gateway should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistrationEntry {
    pub key: ServerKey,
    pub uid: String,
    /// When the MCPServer was created, RFC 3339.
    pub created: String,
    /// The labels of the MCPServer, sorted.
    pub labels: Vec<(String, String)>,
    /// Full URL of the MCP endpoint.
    pub url: String,
    /// Whether it runs elsewhere.
    pub is_remote: bool,
    /// `http` or `sse`.
    pub transport: &'static str,
    /// Shown to the users of the gateway.
    pub description: String,
    pub access_groups: Vec<String>,
    /// Tools that the gateway offers. None: all.
    pub allowed_tools: Option<Vec<String>>,
    /// What the contract of registrars has no field for: JSON by its name there.
    pub extra: BTreeMap<&'static str, String>,
}

impl RegistrationEntry {
    /// What the specification of a server says.
    pub fn of(server: &McpServer, settings: &Settings) -> Self {
        let litellm = &server.spec.litellm;
        let key = ServerKey::of(server);
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
        Self {
            uid: server.uid().unwrap_or_default(),
            created,
            labels: server
                .labels()
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            url: url(server, &key, settings),
            is_remote: server.spec.remote.is_some(),
            transport: server.spec.transport.as_str(),
            description: litellm
                .description
                .clone()
                .unwrap_or_else(|| format!("Auto-registered from MCPServer/{}", key.name)),
            access_groups: sorted(&litellm.allowed_user_groups),
            allowed_tools: litellm.allowed_tools.as_deref().map(sorted),
            extra: extra(litellm),
            key,
        }
    }
}

impl RegistrationEntry {
    /// The same for entries that callers of the gateway cannot tell from each other.
    pub fn fingerprint(&self) -> u64 {
        let Self {
            key: _,
            uid: _,
            created: _,
            labels: _,
            url,
            is_remote,
            transport,
            description,
            access_groups,
            allowed_tools,
            extra,
        } = self;
        let mut hasher = DefaultHasher::new();
        (url, is_remote, transport, description).hash(&mut hasher);
        (access_groups, allowed_tools, extra).hash(&mut hasher);
        hasher.finish()
    }
}

fn url(server: &McpServer, key: &ServerKey, settings: &Settings) -> String {
    match &server.spec.remote {
        Some(remote) => remote.url.clone(),
        None => build::service_url(key, settings, server.spec.port) + server.spec.endpoint_path(),
    }
}

/// Name of the parameters of single tools, among what else is said of a server.
pub(crate) const ALLOWED_PARAMETERS: &str = "allowed-parameters";

/// Only what is set: a plugin can be older than a field, and is not told of those that nobody uses.
fn extra(litellm: &LiteLlm) -> BTreeMap<&'static str, String> {
    let parameters = Some(&litellm.allowed_parameters).filter(|list| !list.is_empty());
    let all = [
        (ALLOWED_PARAMETERS, json(parameters)),
        ("auth", json(litellm.auth.as_ref())),
        ("instructions", json(litellm.instructions.as_ref())),
        ("limits", json(litellm.limits.as_ref())),
        ("protocol-version", json(litellm.protocol_version.as_ref())),
    ];
    let set = all
        .into_iter()
        .filter_map(|(name, json)| Some((name, json?)));
    set.collect()
}

/// Records of words and numbers can always be written.
fn json(value: Option<&impl Serialize>) -> Option<String> {
    serde_json::to_string(value?).ok()
}

/// A server that may have to be registered.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The server, with conditions that the operator knows to be its own: others can write a status, too.
    pub server: Cow<'a, McpServer>,
    /// What the rules in force let be registered of it.
    pub basis: RegistrationBasis,
    /// The generation of the specification that they said it about.
    pub generation: Option<i64>,
    /// Where the gateway was told before the start of this process that it is, where that is elsewhere.
    pub remote_url: Option<String>,
}

impl<'a> Candidate<'a> {
    /// A server of which nothing is known but its object and what rules say about it as it is.
    pub fn new(server: Cow<'a, McpServer>, basis: RegistrationBasis) -> Self {
        Self {
            generation: server.metadata.generation,
            remote_url: None,
            server,
            basis,
        }
    }

    /// Whether the gateway gets what the rules let be registered, and not what it was before: that may have to wait.
    pub fn is_entry(&self, entry: Option<&RegistrationEntry>) -> bool {
        match (&self.basis, entry) {
            (RegistrationBasis::Admitted(judged), Some(entry)) => {
                judged.fingerprint() == entry.fingerprint()
            }
            _ => true,
        }
    }

    /// What was said last about the registration.
    pub fn said(&self) -> Option<&Condition> {
        conditions::find(conditions_of(&self.server), LITELLM_REGISTERED)
    }
}

/// The servers that should be registered, and when that changes by nothing but time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredEntries {
    /// Sorted by namespace and name.
    pub entries: Vec<RegistrationEntry>,
    /// When the next grace or readmission period ends.
    pub recheck_at: Option<Timestamp>,
    /// When the last startup period ends. Until then new servers may begin to serve: whoever waits for it changes the
    /// list once instead of once for each of them.
    pub starting_until: Option<Timestamp>,
}

impl DesiredEntries {
    /// Adds the previous entry of a server that cannot be read now, unless the server is in the list.
    pub fn keep(&mut self, entry: RegistrationEntry) {
        if let Err(position) = self.position(&entry.key) {
            self.entries.insert(position, entry);
        }
    }

    /// The entry of a server that is in the list.
    pub fn find(&self, server: &ServerKey) -> Option<&RegistrationEntry> {
        self.entries.get(self.position(server).ok()?)
    }

    /// The same, to change it. It stays the entry of the same server.
    pub(crate) fn find_mut(&mut self, server: &ServerKey) -> Option<&mut RegistrationEntry> {
        let position = self.position(server).ok()?;
        self.entries.get_mut(position)
    }

    /// The entries of a namespace.
    pub fn of_namespace(&self, namespace: &str) -> &[RegistrationEntry] {
        let first = |entry: &RegistrationEntry| entry.key.namespace.as_str() < namespace;
        let rest = &self.entries[self.entries.partition_point(first)..];
        &rest[..rest.partition_point(|entry| entry.key.namespace == namespace)]
    }

    /// The position of a server in the list, or the one where it would have to be inserted.
    fn position(&self, server: &ServerKey) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.key.cmp(server))
    }

    /// The servers in the list.
    pub fn keys(&self) -> impl Iterator<Item = &ServerKey> {
        self.entries.iter().map(|entry| &entry.key)
    }
}

/// How long something must last before it changes the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracePeriods {
    /// How long a registered server may be without a serving pod.
    pub grace: SignedDuration,
    /// How long a server that was removed after its grace period must serve without interruption before it is registered
    /// again. Otherwise one that serves for seconds and crashes would be registered and removed for ever.
    pub readmission: SignedDuration,
    /// How long a new server is expected to take until it serves, from when no pod of it was first seen to.
    pub startup: SignedDuration,
}

/// Makes the list from all MCPServers.
///
/// A remote server is listed at once: whether it serves is for the gateway to say. Another one is listed when a pod of it serves. Then it stays listed until it is deleted, opted out, forbidden by a rule, or
/// without a single serving pod for longer than its grace period: every change of the list may restart the gateway, so a
/// rollout, even one that is stuck, or a restarted pod must not change it.
pub fn desired(
    candidates: &[Candidate<'_>],
    settings: &Settings,
    periods: GracePeriods,
    now: Timestamp,
) -> DesiredEntries {
    let mut desired = DesiredEntries::default();
    for candidate in candidates {
        let (is_listed, until) = listing(candidate, periods).at(now);
        desired.recheck_at = desired.recheck_at.into_iter().chain(until).min();
        let starting_until = startup_end(candidate, periods, now);
        desired.starting_until = desired
            .starting_until
            .into_iter()
            .chain(starting_until)
            .max();
        if is_listed {
            desired.entries.push(match &candidate.basis {
                RegistrationBasis::Admitted(entry) => RegistrationEntry::clone(entry),
                _ => RegistrationEntry::of(&candidate.server, settings),
            });
        }
    }
    desired.entries.sort_by(|a, b| a.key.cmp(&b.key));
    desired
}

/// Whether a server is in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    Listed,
    Unlisted,
    /// Listed until the end of the grace period, unless a pod serves before.
    GracePeriod(Timestamp),
    /// Unlisted until the end of the readmission period, and then listed unless no pod serves any more.
    Readmission(Timestamp),
}

impl Listing {
    /// Whether the server is listed now, and when that changes by nothing but time.
    fn at(self, now: Timestamp) -> (bool, Option<Timestamp>) {
        match self {
            Self::Listed => (true, None),
            Self::Unlisted => (false, None),
            Self::GracePeriod(end) => (now < end, Some(end).filter(|end| now < *end)),
            Self::Readmission(end) => (now >= end, Some(end).filter(|end| now < *end)),
        }
    }
}

fn listing(candidate: &Candidate<'_>, periods: GracePeriods) -> Listing {
    if !may_be_registered(candidate) {
        return Listing::Unlisted;
    }
    let server = &candidate.server;
    if server.spec.remote.is_some() {
        return Listing::Listed;
    }
    let available = conditions::find(conditions_of(server), AVAILABLE);
    let after = |time: SignedDuration| {
        let since = available.map_or(Timestamp::MAX, |available| available.last_transition_time.0);
        since.checked_add(time).unwrap_or(Timestamp::MAX)
    };
    match (status_of(available), Registration::of(server)) {
        ("True", Registration::Removed) => Listing::Readmission(after(periods.readmission)),
        ("False", Registration::Present) => Listing::GracePeriod(after(periods.grace)),
        // As long as it is not known whether a server serves, nothing is changed.
        ("True", Registration::New) | (_, Registration::Present) => Listing::Listed,
        (_, Registration::Removed | Registration::New) => Listing::Unlisted,
    }
}

fn may_be_registered(candidate: &Candidate<'_>) -> bool {
    let server = &candidate.server;
    let by_rules = match candidate.basis {
        RegistrationBasis::Admitted(_) => true,
        RegistrationBasis::OptedOut | RegistrationBasis::Forbidden(_) => false,
        // It stays as it is stored.
        RegistrationBasis::Unknown => {
            server.spec.litellm.auto_register && Registration::of(server) == Registration::Present
        }
    };
    by_rules && server.metadata.deletion_timestamp.is_none()
}

/// How long it may take until a new server is reconciled for the first time: many new ones are reconciled one after another.
const FIRST_RECONCILE: SignedDuration = SignedDuration::from_mins(3);

/// When the startup period of a new server ends. `None` for a server that serves, whose period is over, or that does not
/// start before somebody changes something.
fn startup_end(
    candidate: &Candidate<'_>,
    periods: GracePeriods,
    now: Timestamp,
) -> Option<Timestamp> {
    let server = &candidate.server;
    let phase = server.status.as_ref().and_then(|status| status.phase);
    let available = conditions::find(conditions_of(server), AVAILABLE);
    let is_new = Registration::of(server) == Registration::New && status_of(available) != "True";
    let is_remote = server.spec.remote.is_some();
    if is_remote || !may_start(candidate) || !is_new || phase == Some(Phase::Failed) {
        return None;
    }
    let (since, time) = match available {
        Some(available) => (available.last_transition_time.0, periods.startup),
        None => (server.creation_timestamp()?.0, FIRST_RECONCILE),
    };
    let end = since.checked_add(time).ok()?;
    // The time is from the clock of another machine, and may lie in the future of this one.
    let latest = now.checked_add(periods.startup).ok()?;
    (now < end).then(|| end.min(latest))
}

/// A new server that nobody has judged yet is on its way.
fn may_start(candidate: &Candidate<'_>) -> bool {
    may_be_registered(candidate)
        || candidate.basis == RegistrationBasis::Unknown
            && candidate.server.spec.litellm.auto_register
            && candidate.server.metadata.deletion_timestamp.is_none()
}

fn status_of(condition: Option<&Condition>) -> &str {
    condition.map_or("Unknown", |condition| condition.status.as_str())
}

/// What the registration has done with a server until now. The condition itself says so, because it survives a restart of
/// the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registration {
    New,
    Present,
    /// It was removed, and its specification has not changed since. One that has opted out and in again is new, and so is
    /// one that a rule forbade: neither has to show first that it does not crash.
    Removed,
}

impl Registration {
    fn of(server: &McpServer) -> Self {
        let Some(condition) = conditions::find(conditions_of(server), LITELLM_REGISTERED) else {
            return Self::New;
        };
        if condition.reason == FORBIDDEN {
            return Self::New;
        }
        let is_unlisted = matches!(condition.reason.as_str(), NOT_REGISTERED | DEREGISTERING);
        let is_current = condition.observed_generation == server.metadata.generation;
        match (is_unlisted, is_current) {
            (false, _) => Self::Present,
            (true, true) => Self::Removed,
            (true, false) => Self::New,
        }
    }
}

/// Reason of `LiteLLMRegistered` for a server that is not in the list.
pub(crate) const NOT_REGISTERED: &str = "NotRegistered";
/// Reason of `LiteLLMRegistered` for a server that is not in the list because it breaks a rule.
const FORBIDDEN: &str = "Forbidden";
/// Reason of `LiteLLMRegistered` for a server that is not in the list, while the gateway may still know it.
const DEREGISTERING: &str = "Deregistering";

/// What `LiteLLMRegistered` says about a server that is not in the list. Nothing for a new server that has not served yet.
/// `may_remain`: the gateway may still know the server.
pub fn unlisted_condition(
    candidate: &Candidate<'_>,
    periods: GracePeriods,
    may_remain: bool,
) -> Option<ConditionDraft> {
    let server = &candidate.server;
    let previous = conditions::find(conditions_of(server), LITELLM_REGISTERED);
    let opted_out = match candidate.basis {
        RegistrationBasis::OptedOut => true,
        RegistrationBasis::Unknown => !server.spec.litellm.auto_register,
        RegistrationBasis::Admitted(_) | RegistrationBasis::Forbidden(_) => false,
    };
    let why = if let RegistrationBasis::Forbidden(errors) = &candidate.basis {
        format!("rules in force forbid it: {errors}")
    } else if opted_out {
        // Nothing before the first reconcile: the status of a new server begins with what its controller says.
        server
            .status
            .as_ref()
            .filter(|status| status.is_written())?;
        "spec.litellm.autoRegister is false".to_owned()
    } else if server.metadata.deletion_timestamp.is_some() {
        "it is being deleted".to_owned()
    } else {
        previous?;
        match listing(candidate, periods) {
            Listing::Readmission(end) => {
                format!(
                    "no pod served for too long. It comes back at {end} if pods serve until then"
                )
            }
            _ => "no pod serves".to_owned(),
        }
    };
    let draft =
        |status, reason, message| ConditionDraft::new(LITELLM_REGISTERED, status, reason, message);
    Some(
        if may_remain && previous.is_some_and(|previous| !is_gone(previous)) {
            draft(
                ConditionStatus::Unknown,
                DEREGISTERING,
                format!("Being removed: {why}"),
            )
        } else {
            let reason = match candidate.basis {
                RegistrationBasis::Forbidden(_) => FORBIDDEN,
                _ => NOT_REGISTERED,
            };
            draft(
                ConditionStatus::False,
                reason,
                format!("Not registered: {why}"),
            )
        },
    )
}

/// Whether the gateway has forgotten the server already.
fn is_gone(condition: &Condition) -> bool {
    matches!(condition.reason.as_str(), NOT_REGISTERED | FORBIDDEN)
}

/// What `LiteLLMRegistered` says about a server that has not served yet, where it has to say anything.
pub fn not_registered_yet() -> ConditionDraft {
    let message = "Not registered: no pod serves";
    ConditionDraft::new(
        LITELLM_REGISTERED,
        ConditionStatus::False,
        NOT_REGISTERED,
        message,
    )
}

/// Whether the condition must stay `True` although the registrar says that the server is pending: the server is registered
/// in its present version and only other servers change, so the gateway keeps serving it. Not to be asked where it was
/// observed that the gateway does not know the server.
pub fn still_registered(candidate: &Candidate<'_>) -> bool {
    candidate.said().is_some_and(|said| {
        said.status == "True" && said.observed_generation == candidate.generation
    })
}

fn conditions_of(server: &McpServer) -> &[Condition] {
    server
        .status
        .as_ref()
        .map_or(&[], |status| &status.conditions)
}

#[cfg(test)]
#[path = "desired_entries_tests.rs"]
mod tests;
