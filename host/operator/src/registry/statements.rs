//! What `LiteLLMRegistered` should say about each server.

use std::collections::HashMap;

use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::{Statement, Truth};
use mcp_operator_core::registration::{Plan, Registration, State};
use mcp_operator_core::registry::{self, Desired};
use mcp_operator_core::status::key;

use super::execute::FailedStep;

/// What the conditions should say.
pub(super) struct Statements {
    /// By `namespace/name`.
    registrations: HashMap<String, Registration>,
    /// A server that was registered may no longer be.
    whatever_was_before: bool,
}

impl Statements {
    /// The same for all servers that should be registered.
    pub(super) fn of_all(desired: &Desired, reason: &str, message: &str) -> Self {
        let pending = |server: String| {
            let registration = Registration {
                server: server.clone(),
                registered_name: String::new(),
                state: State::Pending,
                reason: reason.to_owned(),
                message: message.to_owned(),
            };
            (server, registration)
        };
        Self {
            registrations: desired.keys().map(pending).collect(),
            whatever_was_before: false,
        }
    }

    /// What the registrar says, and what became of its steps.
    pub(super) fn of_plan(desired: &Desired, plan: &Plan, failed: &[FailedStep]) -> Self {
        let mut statements = Self::of_all(
            desired,
            "NotPlanned",
            "The registrar said nothing about this server",
        );
        for registration in &plan.registrations {
            // What a registrar says about servers that nobody asked about is not listened to.
            if let Some(known) = statements.registrations.get_mut(&registration.server) {
                known.clone_from(registration);
            }
        }
        for FailedStep { step, error } in failed {
            let mut tell = |registration: &mut Registration| {
                registration.state = State::Pending;
                error.category().clone_into(&mut registration.reason);
                registration.message = error.to_string();
            };
            if step.servers.is_empty() {
                statements.registrations.values_mut().for_each(tell);
            } else {
                for server in &step.servers {
                    statements.registrations.get_mut(server).map(&mut tell);
                }
            }
        }
        statements
    }

    /// Also servers that were registered are told about.
    pub(super) fn whatever_was_before(self) -> Self {
        Self {
            whatever_was_before: true,
            ..self
        }
    }

    /// The condition of one server, and the name that the gateway knows it by; nothing if there is
    /// nothing to say.
    pub(super) fn about(&self, server: &McpServer) -> Option<(Statement, String)> {
        let Some(registration) = self.registrations.get(&key(server)) else {
            return registry::not_wanted(server).map(|statement| (statement, String::new()));
        };
        let truth = match registration.state {
            State::Registered => Truth::True,
            State::Pending if !self.whatever_was_before && registry::still_registered(server) => {
                return None;
            }
            State::Pending => Truth::Unknown,
            State::Refused => Truth::False,
        };
        let statement = Statement::new(
            LITELLM_REGISTERED,
            truth,
            registration.reason.clone(),
            registration.message.clone(),
        );
        Some((statement, registration.registered_name.clone()))
    }
}
