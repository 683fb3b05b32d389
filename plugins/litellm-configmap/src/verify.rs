//! Verifies the registration by LiteLLM's own list, if the settings ask for it: names that are taken, and whether LiteLLM lists
//! and reaches the servers of the file.

use std::collections::{HashMap, HashSet};

use litellm_identity::{
    HEALTH_PATH, HealthReport, ListedServer, NamedServer, Reachability, Refusal, SERVERS_PATH,
    parse_server_list, server_id,
};
use mcp_plugin_sdk::{HttpRequest, Observed, Read, ReadSource, Registry, Server};

use crate::settings::{Settings, Verify};

const LIST: &str = "list";
const HEALTHY: &str = "health";

/// The reads that it needs.
pub(crate) fn observe(settings: &Settings) -> impl Iterator<Item = Read> {
    settings.verify.iter().flat_map(|verify| {
        let health = verify.health.then(|| get(verify, HEALTHY, HEALTH_PATH));
        std::iter::once(get(verify, LIST, SERVERS_PATH)).chain(health)
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

/// The result of reading LiteLLM's list.
pub(crate) enum Verification<'a> {
    /// The settings do not ask for it.
    Disabled,
    /// LiteLLM could not be read, and why.
    Unavailable(String),
    /// LiteLLM's servers.
    Listed(ProxyServers<'a>),
}

/// The servers that LiteLLM lists.
pub(crate) struct ProxyServers<'a> {
    instance: &'a str,
    ids: HashSet<String>,
    /// Ids of the servers that the operator does not own, by their names in lower case.
    others: HashMap<String, String>,
    health: HealthReport<'a>,
}

pub(crate) fn verify<'a>(settings: &Settings, registry: &'a Registry) -> Verification<'a> {
    let Some(verify) = &settings.verify else {
        return Verification::Disabled;
    };
    let why = match registry.observed(LIST) {
        Some(Observed::Http(answer)) if answer.status == 200 => {
            match parse_server_list(&answer.body) {
                Ok(listed) => {
                    return Verification::Listed(ProxyServers::new(verify, registry, &listed));
                }
                Err(error) => error.to_string(),
            }
        }
        // The body is not repeated: it may describe the key.
        Some(Observed::Http(answer)) => {
            format!("GET {SERVERS_PATH} is answered with HTTP {}", answer.status)
        }
        Some(Observed::Unavailable(why)) => why.clone(),
        _ => "it was not asked".into(),
    };
    Verification::Unavailable(format!(
        "LiteLLM cannot be asked over the connection {}: {why}",
        verify.connection
    ))
}

impl<'a> ProxyServers<'a> {
    fn new(verify: &Verify, registry: &'a Registry, listed: &[ListedServer<'_>]) -> Self {
        let instance = registry.instance.as_str();
        let others = listed.iter().filter(|entry| !entry.has_id_of(instance));
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
                HealthReport::read(registry.observed(HEALTHY))
            } else {
                HealthReport::NotRequested
            },
        }
    }

    /// Refuses names that other servers have in LiteLLM.
    pub(crate) fn refuse_taken(&self, assigned: &mut [NamedServer<'_>]) {
        for NamedServer { name, .. } in assigned {
            if let Ok(wanted) = name
                && let Some(holder) = self.others.get(&wanted.to_lowercase())
            {
                *name = Err(Refusal::name_taken(wanted, holder));
            }
        }
    }

    pub(crate) fn contains(&self, server: &Server) -> bool {
        self.ids.contains(&server_id(self.instance, server))
    }

    pub(crate) fn reachability(&self, server: &Server) -> Reachability {
        self.health.reachability(&server_id(self.instance, server))
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
