//! The difference between what should be and what is.

use std::cell::OnceCell;
use std::collections::HashMap;

use foldhash::fast::FixedState;
use litellm_identity::{Assigned, Health, Listed, Reach, Refusal};
use mcp_plugin_sdk::{Registration, RegistrationState, Server};

use crate::entry::{Marker, Marks, size};

/// Bytes of texts that an entry may have: the others have to fit into the same pass.
const LARGEST_ENTRY: usize = 64 << 10;

/// What is listed, by id and by name.
pub(crate) struct Index<'a> {
    instance: &'a str,
    listed: &'a [Listed<'a>],
    by_id: HashMap<&'a str, usize, FixedState>,
    /// By name; made when somebody asks, which nobody does where nothing changes.
    holders: OnceCell<HashMap<String, usize, FixedState>>,
}

/// A server whose entry has to be made or changed.
#[derive(Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) server: &'a Server,
    pub(crate) name: &'a str,
    /// An entry of ours that leaves and has the name as long as it is there.
    pub(crate) after: Option<usize>,
}

/// What has to be done, and how it stands with each server.
#[derive(Default)]
pub(crate) struct Difference<'a> {
    /// Entries of ours that nobody wants any more.
    pub(crate) leaving: Vec<usize>,
    pub(crate) updates: Vec<Change<'a>>,
    pub(crate) creations: Vec<Change<'a>>,
    pub(crate) registrations: Vec<Registration>,
}

/// What the entry of one server needs.
enum Need {
    Nothing(Registration),
    Creation,
    Update,
}

impl<'a> Index<'a> {
    pub(crate) fn new(instance: &'a str, listed: &'a [Listed<'a>]) -> Self {
        let by_id = listed.iter().map(|entry| &*entry.server_id).zip(0..);
        Self {
            instance,
            listed,
            by_id: by_id.collect(),
            holders: OnceCell::new(),
        }
    }

    /// Looks at every server and every entry once.
    pub(crate) fn difference(
        &self,
        assigned: &'a [Assigned<'a>],
        health: &Health<'_>,
    ) -> Difference<'a> {
        let mut difference = Difference {
            registrations: Vec::with_capacity(assigned.len()),
            ..Difference::default()
        };
        let mut marker = Marker::new(self.instance);
        let mut is_wanted = vec![false; self.listed.len()];
        // Whose names are looked at when it is known who leaves.
        let mut changing = Vec::new();
        for Assigned { server, name } in assigned {
            let registration = match name {
                Err(refusal) => refusal.clone().registration(server),
                Ok(name) => {
                    let marks = marker.marks(server, name);
                    let found = self.by_id.get(marks.id).copied();
                    if let Some(found) = found {
                        is_wanted[found] = true;
                    }
                    match self.need(server, name, marks, found, health) {
                        Ok(Need::Nothing(registration)) => registration,
                        Ok(need) => {
                            let is_new = matches!(need, Need::Creation);
                            changing.push((difference.registrations.len(), is_new, name));
                            registering(server, name, is_new)
                        }
                        Err(refusal) => refusal.registration(server),
                    }
                }
            };
            difference.registrations.push(registration);
        }
        let leaves =
            |index: &usize| !is_wanted[*index] && self.listed[*index].is_ours(self.instance);
        difference.leaving = (0..self.listed.len()).filter(leaves).collect();
        for (place, is_new, name) in changing {
            let server = assigned[place].server;
            match self.change(server, name, &is_wanted) {
                Ok(change) if is_new => difference.creations.push(change),
                Ok(change) => difference.updates.push(change),
                Err(refusal) => difference.registrations[place] = refusal.registration(server),
            }
        }
        difference
    }

    fn need(
        &self,
        server: &Server,
        name: &str,
        marks: Marks<'_>,
        found: Option<usize>,
        health: &Health<'_>,
    ) -> Result<Need, Refusal> {
        let Some(found) = found.map(|found| &self.listed[found]) else {
            return Ok(Need::Creation);
        };
        if found.is_in_file() {
            return Ok(Need::Nothing(leaving_file(server, marks.id)));
        }
        // A LiteLLM that does not keep where an entry comes from keeps its `mcp_info`.
        let is_as_sent = found.comes_from(marks.source_url)
            || found.is_ours(self.instance) && found.spec_hash() == marks.spec_hash;
        // Somebody may have edited what was sent: who may use the server is a part of it.
        let is_whole = found.has(name, &server.url, &server.transport) && found.describes(server);
        if is_as_sent && is_whole {
            return reached(server, name, health.of(marks.id)).map(Need::Nothing);
        }
        if !found.is_ours(self.instance) {
            let message = format!(
                "LiteLLM has an MCP server with the id {} that is not of the operator {}: remove it",
                marks.id, self.instance
            );
            return Err(Refusal::new("IdTaken", message));
        }
        Ok(Need::Update)
    }

    /// A change that LiteLLM would accept.
    fn change(
        &self,
        server: &'a Server,
        name: &'a str,
        is_wanted: &[bool],
    ) -> Result<Change<'a>, Refusal> {
        if size(server) > LARGEST_ENTRY {
            let message = format!(
                "spec.litellm has more than {LARGEST_ENTRY} bytes: shorten its description, groups or tools"
            );
            return Err(Refusal::new("EntryTooLarge", message));
        }
        let holder = self.holders().get(&name.to_lowercase()).copied();
        match holder.map(|holder| (holder, &self.listed[holder])) {
            // Ours that stay get the names that they should have, before others are made.
            Some((holder, entry)) if entry.is_ours(self.instance) => Ok(Change {
                server,
                name,
                after: (!is_wanted[holder]).then_some(holder),
            }),
            Some((_, entry)) => Err(Refusal::taken(name, &entry.server_id)),
            None => Ok(Change {
                server,
                name,
                after: None,
            }),
        }
    }

    /// Of several with one name, one that is not ours has it.
    fn holders(&self) -> &HashMap<String, usize, FixedState> {
        self.holders.get_or_init(|| {
            let mut holders = HashMap::default();
            for (index, entry) in self.listed.iter().enumerate() {
                for name in entry.names() {
                    if entry.is_ours(self.instance) {
                        holders.entry(name).or_insert(index);
                    } else {
                        holders.insert(name, index);
                    }
                }
            }
            holders
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

fn leaving_file(server: &Server, id: &str) -> Registration {
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

fn reached(server: &Server, name: &str, reach: Reach) -> Result<Registration, Refusal> {
    let (state, reason, message) = match reach {
        Reach::Reached => (
            RegistrationState::Registered,
            "Registered",
            ["Registered with LiteLLM as ", name].concat(),
        ),
        Reach::Unreachable => return Err(Refusal::unhealthy(name, &server.url)),
        Reach::Unknown(why) => (RegistrationState::Pending, "VerificationUnavailable", why),
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
