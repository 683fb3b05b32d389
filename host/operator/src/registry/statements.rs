//! What `LiteLLMRegistered` should say about each server.

use std::collections::{HashMap, HashSet};

use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::{Statement, Truth};
use mcp_operator_core::registration::{Registration, State, Step};
use mcp_operator_core::registry::{self, Desired, Patience};
use mcp_operator_core::status::key;
use mcp_operator_core::steps::Cause;
use mcp_operator_core::succession::is_clear;

use super::consult::Advice;
use super::execute::Outcome;

/// What the conditions should say.
pub(super) struct Statements {
    /// By `namespace/name`.
    registrations: HashMap<String, Registration>,
    /// A server that was registered may no longer be.
    whatever_was_before: bool,
    /// Those that should not be registered and may still be. Nothing: all of them.
    remaining: Option<HashSet<String>>,
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
            remaining: None,
        }
    }

    /// What the registrar says, and what became of its steps.
    pub(super) fn of_plan(desired: &Desired, advice: &Advice<'_>, outcome: &Outcome) -> Self {
        let mut statements = Self::of_all(
            desired,
            "NotPlanned",
            "The registrar said nothing about this server",
        );
        for registration in &advice.plan.registrations {
            // What a registrar says about servers that nobody asked about is not listened to.
            if let Some(known) = statements.registrations.get_mut(&registration.server) {
                known.clone_from(registration);
            }
        }
        for (step, error) in &outcome.failed {
            statements.tell(step, &error.cause());
        }
        for (step, cause) in &outcome.withheld {
            let because = format!("Waits, since another step failed: {}", cause.message);
            let cause = Cause {
                message: because,
                ..*cause
            };
            statements.tell(step, &cause);
        }
        statements.remaining = statements.remaining(advice, outcome);
        statements
    }

    /// A step was not done: that concerns its servers.
    fn tell(&mut self, step: &Step, cause: &Cause) {
        let tell = |registration: &mut Registration| {
            if registration.state != State::Absent {
                registration.state = State::Pending;
            }
            cause.category.clone_into(&mut registration.reason);
            registration.message.clone_from(&cause.message);
        };
        if step.servers.is_empty() {
            self.registrations.values_mut().for_each(tell);
        } else {
            for server in &step.servers {
                if let Some(registration) = self.registrations.get_mut(server) {
                    tell(registration);
                }
            }
        }
    }

    /// Of whom something may be left. A plan that sees everything names all that is left, or as much as one plan may hold:
    /// while any of it is being removed, the next plan must tell.
    fn remaining(&self, advice: &Advice<'_>, outcome: &Outcome) -> Option<HashSet<String>> {
        let unwanted = |step: &Step| {
            let mut servers = step.servers.iter();
            servers.any(|server| !self.registrations.contains_key(server))
        };
        let for_all = |step: &Step| step.servers.is_empty();
        let sees_all = advice.observations.iter().all(is_clear);
        if !sees_all || advice.plan.steps.iter().any(for_all) || outcome.done.iter().any(unwanted) {
            return None;
        }
        Some(
            advice
                .plan
                .steps
                .iter()
                .flat_map(|step| step.servers.iter().cloned())
                .collect(),
        )
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
    pub(super) fn about(
        &self,
        server: &McpServer,
        patience: Patience,
    ) -> Option<(Statement, String)> {
        let key = key(server);
        let Some(registration) = self.registrations.get(&key) else {
            let remaining = self.remaining.as_ref();
            let may_remain = remaining.is_none_or(|remaining| remaining.contains(&key));
            let statement = registry::not_wanted(server, patience, may_remain)?;
            return Some((statement, String::new()));
        };
        let truth = match registration.state {
            State::Registered => Truth::True,
            State::Pending if !self.whatever_was_before && registry::still_registered(server) => {
                return None;
            }
            State::Pending | State::Absent => Truth::Unknown,
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

#[cfg(test)]
#[path = "statements_tests.rs"]
mod tests;
