//! The difference between what should be and what is, as requests.

use std::collections::{HashMap, HashSet};

use litellm_identity::{Assigned, Listed, Refusal, assign, server_id};
use mcp_plugin_sdk::{
    Action, HttpRequest, Plan, Registration, RegistrationState, Registry, Server, Step,
};

use crate::api;
use crate::entry::{Wanted, is_up_to_date};
use crate::listing;
use crate::settings::Settings;

/// What is missing, and how it stands.
pub(crate) fn plan(settings: &Settings, registry: &Registry) -> Plan {
    let assigned = assign(&registry.servers);
    let listed = match listing::read(settings, registry) {
        Ok(listed) => listed,
        Err(obstacle) => {
            let tell = |Assigned { server, name }: Assigned<'_>| match name {
                Ok(_) => obstacle.registration(server),
                Err(refusal) => refusal.registration(server),
            };
            return Plan {
                steps: Vec::new(),
                registrations: assigned.into_iter().map(tell).collect(),
            };
        }
    };
    let unreachable = listing::unreachable(registry);
    Difference::new(
        settings,
        &registry.instance,
        &assigned,
        &listed,
        unreachable,
    )
    .plan(&assigned)
}

/// What is listed, seen from what should be.
struct Difference<'a> {
    settings: &'a Settings,
    instance: &'a str,
    by_id: HashMap<&'a str, &'a Listed<'a>>,
    /// Ours, and no longer wanted.
    leaving: Vec<&'a Listed<'a>>,
    /// Who has a name when those that leave are gone.
    holders: HashMap<String, &'a str>,
    /// Ids of servers that LiteLLM cannot reach.
    unreachable: HashSet<String>,
}

impl<'a> Difference<'a> {
    fn new(
        settings: &'a Settings,
        instance: &'a str,
        assigned: &[Assigned<'_>],
        listed: &'a [Listed<'a>],
        unreachable: HashSet<String>,
    ) -> Self {
        let wanted: HashSet<String> = assigned
            .iter()
            .filter(|assigned| assigned.name.is_ok())
            .map(|assigned| server_id(instance, assigned.server))
            .collect();
        let (leaving, staying): (Vec<_>, Vec<_>) = listed.iter().partition(|entry| {
            entry.is_ours(instance) && !wanted.contains(entry.server_id.as_ref())
        });
        let holders = staying
            .iter()
            .flat_map(|entry| entry.names().map(|name| (name, entry.server_id.as_ref())));
        Self {
            settings,
            instance,
            by_id: listed
                .iter()
                .map(|entry| (entry.server_id.as_ref(), entry))
                .collect(),
            leaving,
            holders: holders.collect(),
            unreachable,
        }
    }

    /// Those that leave go first, since they may have names that others get; after them, requests of one kind follow each
    /// other, so that they can be sent at the same time.
    fn plan(&self, assigned: &[Assigned<'_>]) -> Plan {
        let mut steps: Vec<Step> = self
            .leaving
            .iter()
            .take(self.settings.requests_per_pass)
            .map(|entry| {
                let server = entry.key(self.instance).unwrap_or_default();
                step(api::delete(self.settings, &entry.server_id), server)
            })
            .collect();
        let mut registrations = Vec::with_capacity(assigned.len());
        for Assigned { server, name } in assigned {
            let stands = match name {
                Ok(name) => self.converge(server, name, &mut steps),
                Err(refusal) => Err(refusal.clone()),
            };
            registrations.push(stands.unwrap_or_else(|refusal| refusal.registration(server)));
        }
        steps.sort_by_key(order);
        Plan {
            steps,
            registrations,
        }
    }

    fn converge(
        &self,
        server: &Server,
        name: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Registration, Refusal> {
        let id = server_id(self.instance, server);
        let found = self.by_id.get(id.as_str());
        if let Some(found) = found {
            if found.is_in_file() {
                let message = format!(
                    "{id} is still in LiteLLM's configuration file, which the admin API cannot change: waiting for LiteLLM to be rolled out without it, or for you to remove it there"
                );
                return Ok(registration(
                    server,
                    "",
                    RegistrationState::Pending,
                    "LeavingConfigurationFile",
                    message,
                ));
            }
            self.check_owner(found)?;
            if is_up_to_date(found, &Wanted::new(self.instance, server, name)) {
                if self.unreachable.contains(&id) {
                    return Err(Refusal::unhealthy(name, &server.url));
                }
                let message = format!("Registered with LiteLLM as {name}");
                return Ok(registration(
                    server,
                    name,
                    RegistrationState::Registered,
                    "Registered",
                    message,
                ));
            }
        }
        self.check_name(&id, name)?;
        if steps.len() < self.settings.requests_per_pass {
            let entry = Wanted::new(self.instance, server, name).body();
            let request = match found {
                Some(_) => api::update(self.settings, entry),
                None => api::create(self.settings, entry),
            };
            steps.push(step(request, server.key()));
        }
        let message = format!("Being registered with LiteLLM as {name}");
        Ok(registration(
            server,
            name,
            RegistrationState::Pending,
            "Registering",
            message,
        ))
    }

    fn check_owner(&self, found: &Listed<'_>) -> Result<(), Refusal> {
        let id = &found.server_id;
        if !found.is_ours(self.instance) {
            let message = format!(
                "LiteLLM has an MCP server with the id {id} that is not of the operator {}: remove it",
                self.instance
            );
            return Err(Refusal::new("IdTaken", message));
        }
        Ok(())
    }

    fn check_name(&self, server_id: &str, name: &str) -> Result<(), Refusal> {
        match self.holders.get(&name.to_lowercase()) {
            Some(holder) if *holder != server_id => Err(Refusal::taken(name, holder)),
            _ => Ok(()),
        }
    }
}

/// `DELETE`, then `PUT`, then `POST`.
fn order(step: &Step) -> u8 {
    match &step.action {
        Action::Send(request) if request.method == "DELETE" => 0,
        Action::Send(request) if request.method == "PUT" => 1,
        _ => 2,
    }
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

fn step(request: HttpRequest, server: String) -> Step {
    Step {
        action: Action::Send(request),
        servers: vec![server],
    }
}
