//! On request, what LiteLLM itself says: who else has a name, and whether it knows and reaches what the file tells it.

use std::collections::{HashMap, HashSet};

use litellm_identity::{
    Assigned, HEALTH, Health, Listed, Reach, Refusal, SERVERS, listed, server_id,
};
use mcp_plugin_sdk::{HttpRequest, Observed, Read, ReadSource, Registry, Server};

use crate::settings::{Settings, Verify};

const LIST: &str = "list";
const HEALTHY: &str = "health";

/// The requests that it takes.
pub(crate) fn observe(settings: &Settings) -> impl Iterator<Item = Read> {
    settings.verify.iter().flat_map(|verify| {
        let health = verify.health.then(|| get(verify, HEALTHY, HEALTH));
        std::iter::once(get(verify, LIST, SERVERS)).chain(health)
    })
}

fn get(verify: &Verify, id: &str, path: &str) -> Read {
    Read {
        id: id.into(),
        source: ReadSource::Http(HttpRequest {
            connection: verify.connection.clone(),
            method: "GET".into(),
            path: path.into(),
            headers: Vec::new(),
            body: None,
        }),
        written: false,
    }
}

/// What LiteLLM says.
pub(crate) enum Proxy<'a> {
    /// Nobody wants to know.
    NotAsked,
    /// It could not be asked: why.
    Unknown(String),
    /// Its list.
    Known(Known<'a>),
}

/// LiteLLM's list, by what is asked of it.
pub(crate) struct Known<'a> {
    instance: &'a str,
    ids: HashSet<String>,
    /// Ids of entries that are not ours, by their names.
    others: HashMap<String, String>,
    health: Health<'a>,
}

/// Reads what LiteLLM says.
pub(crate) fn look<'a>(settings: &Settings, registry: &'a Registry) -> Proxy<'a> {
    let Some(verify) = &settings.verify else {
        return Proxy::NotAsked;
    };
    let why = match registry.observed(LIST) {
        Some(Observed::Http(answer)) if answer.status == 200 => match listed(&answer.body) {
            Ok(listed) => return Proxy::Known(Known::new(verify, registry, &listed)),
            Err(error) => error.to_string(),
        },
        // Its own words tell about the key.
        Some(Observed::Http(answer)) => {
            format!("GET {SERVERS} is answered with HTTP {}", answer.status)
        }
        Some(Observed::Unavailable(why)) => why.clone(),
        _ => "it was not asked".into(),
    };
    Proxy::Unknown(format!(
        "LiteLLM cannot be asked over the connection {}: {why}",
        verify.connection
    ))
}

impl<'a> Known<'a> {
    fn new(verify: &Verify, registry: &'a Registry, listed: &[Listed<'_>]) -> Self {
        let instance = registry.instance.as_str();
        let others = listed.iter().filter(|entry| !entry.has_our_id(instance));
        Self {
            instance,
            ids: listed
                .iter()
                .map(|entry| entry.server_id.to_string())
                .collect(),
            others: others
                .flat_map(|entry| {
                    entry
                        .names()
                        .map(|name| (name, entry.server_id.to_string()))
                })
                .collect(),
            health: if verify.health {
                Health::read(registry.observed(HEALTHY))
            } else {
                Health::NotAsked
            },
        }
    }

    /// Refuses names that somebody else has in LiteLLM.
    pub(crate) fn refuse_taken(&self, assigned: &mut [Assigned<'_>]) {
        for Assigned { name, .. } in assigned {
            if let Ok(wanted) = name
                && let Some(holder) = self.others.get(&wanted.to_lowercase())
            {
                *name = Err(Refusal::taken(wanted, holder));
            }
        }
    }

    /// Whether LiteLLM has read about a server.
    pub(crate) fn lists(&self, server: &Server) -> bool {
        self.ids.contains(&server_id(self.instance, server))
    }

    /// Whether LiteLLM reaches a server, if somebody wants to know.
    pub(crate) fn reach(&self, server: &Server) -> Reach {
        self.health.of(&server_id(self.instance, server))
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
