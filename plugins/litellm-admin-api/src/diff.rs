//! The diff between the MCPServers and LiteLLM's list.

use std::cell::OnceCell;
use std::collections::HashMap;

use foldhash::fast::FixedState;
use litellm_identity::{HealthReport, ListedServer, NamedServer, Reachability, Refusal};
use mcp_plugin_sdk::{Registration, RegistrationState, Server};

use crate::entry::{EntryIdentity, IdentityWriter, size};

/// Bytes of all strings of an entry: a larger one would leave no room for other entries in a plan.
const MAX_ENTRY_BYTES: usize = 64 << 10;

/// LiteLLM's list, indexed by id and by name.
pub(crate) struct Index<'a> {
    instance: &'a str,
    listed: &'a [ListedServer<'a>],
    by_id: HashMap<&'a str, usize, FixedState>,
    /// By name. Built on first use: a list that is up to date does not need it.
    by_name: OnceCell<HashMap<String, usize, FixedState>>,
}

/// A server whose entry has to be created or updated.
#[derive(Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) server: &'a Server,
    pub(crate) name: &'a str,
    /// Index of an entry that has to be deleted before, because it has the name.
    pub(crate) after: Option<usize>,
}

/// The changes that LiteLLM needs, and the state of each server.
#[derive(Default)]
pub(crate) struct Diff<'a> {
    /// Indices of the entries that the operator owns and no server wants.
    pub(crate) deletions: Vec<usize>,
    pub(crate) updates: Vec<Change<'a>>,
    pub(crate) creations: Vec<Change<'a>>,
    pub(crate) registrations: Vec<Registration>,
}

/// The change that the entry of one server needs.
enum EntryDiff {
    UpToDate(Registration),
    Create,
    Update,
}

impl<'a> Index<'a> {
    pub(crate) fn new(instance: &'a str, listed: &'a [ListedServer<'a>]) -> Self {
        let by_id = listed.iter().map(|entry| &*entry.server_id).zip(0..);
        Self {
            instance,
            listed,
            by_id: by_id.collect(),
            by_name: OnceCell::new(),
        }
    }

    /// Compares all servers with all entries.
    pub(crate) fn diff(
        &self,
        assigned: &'a [NamedServer<'a>],
        health: &HealthReport<'_>,
    ) -> Diff<'a> {
        let mut diff = Diff {
            registrations: Vec::with_capacity(assigned.len()),
            ..Diff::default()
        };
        let mut writer = IdentityWriter::new(self.instance);
        let mut is_wanted = vec![false; self.listed.len()];
        // Their names can only be checked when all deletions are known.
        let mut changing = Vec::new();
        for NamedServer { server, name } in assigned {
            let registration = match name {
                Err(refusal) => refusal.clone().registration(server),
                Ok(name) => {
                    let identity = writer.identity(server, name);
                    let found = self.by_id.get(identity.id).copied();
                    if let Some(found) = found {
                        is_wanted[found] = true;
                    }
                    match self.entry_diff(server, name, identity, found, health) {
                        Ok(EntryDiff::UpToDate(registration)) => registration,
                        Ok(change) => {
                            let is_new = matches!(change, EntryDiff::Create);
                            changing.push((diff.registrations.len(), is_new, name));
                            registering(server, name, is_new)
                        }
                        Err(refusal) => refusal.registration(server),
                    }
                }
            };
            diff.registrations.push(registration);
        }
        let is_unwanted =
            |index: &usize| !is_wanted[*index] && self.listed[*index].is_owned_by(self.instance);
        diff.deletions = (0..self.listed.len()).filter(is_unwanted).collect();
        for (place, is_new, name) in changing {
            let server = assigned[place].server;
            match self.change(server, name, &is_wanted) {
                Ok(change) if is_new => diff.creations.push(change),
                Ok(change) => diff.updates.push(change),
                Err(refusal) => diff.registrations[place] = refusal.registration(server),
            }
        }
        diff
    }

    fn entry_diff(
        &self,
        server: &Server,
        name: &str,
        identity: EntryIdentity<'_>,
        found: Option<usize>,
        health: &HealthReport<'_>,
    ) -> Result<EntryDiff, Refusal> {
        let Some(found) = found.map(|found| &self.listed[found]) else {
            return Ok(EntryDiff::Create);
        };
        if found.is_from_config_file() {
            return Ok(EntryDiff::UpToDate(pending_in_config_file(
                server,
                identity.id,
            )));
        }
        // Some versions of LiteLLM do not store `source_url`; they store `mcp_info`.
        let is_as_sent = found.has_source_url(identity.source_url)
            || found.is_owned_by(self.instance) && found.spec_hash() == identity.spec_hash;
        // A user may have edited the entry, and with it who may use the server.
        let is_unedited = found.has_endpoint(name, &server.url, &server.transport)
            && found.has_details_of(server);
        if is_as_sent && is_unedited {
            return registered_if_reachable(server, name, health.reachability(identity.id))
                .map(EntryDiff::UpToDate);
        }
        if !found.is_owned_by(self.instance) {
            let message = format!(
                "LiteLLM has an MCP server with the id {} that is not of the operator {}: remove it",
                identity.id, self.instance
            );
            return Err(Refusal::new("IdTaken", message));
        }
        Ok(EntryDiff::Update)
    }

    /// The change, or a refusal if LiteLLM would not accept it.
    fn change(
        &self,
        server: &'a Server,
        name: &'a str,
        is_wanted: &[bool],
    ) -> Result<Change<'a>, Refusal> {
        if size(server) > MAX_ENTRY_BYTES {
            let message = format!(
                "spec.litellm has more than {MAX_ENTRY_BYTES} bytes: shorten its description, groups or tools"
            );
            return Err(Refusal::new("EntryTooLarge", message));
        }
        let holder = self.by_name().get(&name.to_lowercase()).copied();
        match holder.map(|holder| (holder, &self.listed[holder])) {
            // An entry of the operator that stays is renamed by an update, which comes before creations.
            Some((holder, entry)) if entry.is_owned_by(self.instance) => Ok(Change {
                server,
                name,
                after: (!is_wanted[holder]).then_some(holder),
            }),
            Some((_, entry)) => Err(Refusal::name_taken(name, &entry.server_id)),
            None => Ok(Change {
                server,
                name,
                after: None,
            }),
        }
    }

    /// Of several entries with one name, one that the operator does not own takes precedence.
    fn by_name(&self) -> &HashMap<String, usize, FixedState> {
        self.by_name.get_or_init(|| {
            let mut by_name = HashMap::default();
            for (index, entry) in self.listed.iter().enumerate() {
                for name in entry.names() {
                    if entry.is_owned_by(self.instance) {
                        by_name.entry(name).or_insert(index);
                    } else {
                        by_name.insert(name, index);
                    }
                }
            }
            by_name
        })
    }
}

fn registering(server: &Server, name: &str, is_new: bool) -> Registration {
    registration(
        server,
        name,
        if is_new {
            RegistrationState::Absent
        } else {
            RegistrationState::Pending
        },
        "Registering",
        ["Being registered with LiteLLM as ", name].concat(),
    )
}

fn pending_in_config_file(server: &Server, id: &str) -> Registration {
    let message = format!(
        "{id} is still in LiteLLM's configuration file, which the admin API cannot change: waiting for LiteLLM to be rolled out without it, or for you to remove it there"
    );
    registration(
        server,
        "",
        RegistrationState::Pending,
        "LeavingConfigurationFile",
        message,
    )
}

fn registered_if_reachable(
    server: &Server,
    name: &str,
    reach: Reachability,
) -> Result<Registration, Refusal> {
    let (state, reason, message) = match reach {
        Reachability::Reachable => (
            RegistrationState::Registered,
            "Registered",
            ["Registered with LiteLLM as ", name].concat(),
        ),
        Reachability::Unreachable => return Err(Refusal::unhealthy(name, &server.url)),
        Reachability::Unknown(why) => (RegistrationState::Pending, "VerificationUnavailable", why),
    };
    Ok(registration(server, name, state, reason, message))
}

fn registration(
    server: &Server,
    name: &str,
    state: RegistrationState,
    reason: &str,
    message: String,
) -> Registration {
    Registration {
        server: server.key(),
        registered_name: name.into(),
        state,
        reason: reason.into(),
        message,
    }
}
