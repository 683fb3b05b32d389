//! What `LiteLLMRegistered` should say about each server, by a plan and what became of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use mcp_operator_api::names::conditions::LITELLM_REGISTERED;
use mcp_operator_core::conditions::{ConditionDraft, ConditionStatus};
use mcp_operator_core::desired_entries::{self, Candidate, DesiredEntries, GracePeriods};
use mcp_operator_core::handover::shows_everything;
use mcp_operator_core::plan_execution::FailureCause;
use mcp_operator_core::registration_plan::{Registration, State, Step};
use mcp_operator_core::rollout_budget::Wait;
use mcp_operator_core::server_key::ServerKey;

use crate::execute::ExecutionOutcome;
use crate::plan::PlannedRegistration;

/// What the conditions should say.
pub(crate) struct RegistrationConditions {
    /// By `namespace/name`.
    registrations: HashMap<String, Registration>,
    /// Also servers that were registered get a pending condition: they may no longer be.
    override_registered: bool,
    /// Servers that should not be registered and may still be. Nothing: all of them.
    may_remain: Option<HashSet<String>>,
}

impl RegistrationConditions {
    /// The same for all servers that should be registered.
    pub(crate) fn of_all(desired: &DesiredEntries, reason: &str, message: &str) -> Self {
        let pending = |server: &ServerKey| {
            let server = server.to_string();
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
            override_registered: false,
            may_remain: None,
        }
    }

    /// What the registrar says, and what became of its steps.
    pub(crate) fn of_plan(
        desired: &DesiredEntries,
        planned: &PlannedRegistration,
        outcome: &ExecutionOutcome,
    ) -> Self {
        let mut conditions = Self::of_all(
            desired,
            "NotPlanned",
            "The registrar said nothing about this server",
        );
        for registration in &planned.plan.registrations {
            // What a registrar says about servers that nobody asked about is ignored.
            if let Some(known) = conditions.registrations.get_mut(&registration.server) {
                known.clone_from(registration);
            }
        }
        for (step, error) in &outcome.failed {
            conditions.record_not_done(step, &error.failure_cause());
        }
        for (step, cause) in &outcome.skipped {
            let because = format!("Waits, since another step failed: {}", cause.message);
            let cause = FailureCause {
                message: because,
                ..*cause
            };
            conditions.record_not_done(step, &cause);
        }
        conditions.may_remain = conditions.may_remain(planned, outcome);
        conditions
    }

    /// A step was not done: that concerns its servers.
    fn record_not_done(&mut self, step: &Step, cause: &FailureCause) {
        let record = |registration: &mut Registration| {
            if registration.state != State::Absent {
                registration.state = State::Pending;
            }
            cause.category.clone_into(&mut registration.reason);
            registration.message.clone_from(&cause.message);
        };
        if step.servers.is_empty() {
            self.registrations.values_mut().for_each(record);
        } else {
            for server in &step.servers {
                if let Some(registration) = self.registrations.get_mut(server) {
                    record(registration);
                }
            }
        }
    }

    /// Servers of which something may be left. A plan that sees everything names all that is left, or as much as one plan
    /// may hold: while any of it is being removed, only the next plan shows what is left.
    fn may_remain(
        &self,
        planned: &PlannedRegistration,
        outcome: &ExecutionOutcome,
    ) -> Option<HashSet<String>> {
        let unwanted = |step: &Step| {
            let mut servers = step.servers.iter();
            servers.any(|server| !self.registrations.contains_key(server))
        };
        let for_all = |step: &Step| step.servers.is_empty();
        let sees_all = planned.observations.iter().all(shows_everything);
        if !sees_all || planned.plan.steps.iter().any(for_all) || outcome.done.iter().any(unwanted)
        {
            return None;
        }
        Some(
            planned
                .plan
                .steps
                .iter()
                .flat_map(|step| step.servers.iter().cloned())
                .collect(),
        )
    }

    /// Servers whose changes wait: the gateway knows them as they were before, or not at all.
    pub(crate) fn hold_back(&mut self, waiting: &BTreeMap<ServerKey, Wait>) {
        for (server, wait) in waiting {
            let until = wait.until();
            let (reason, why) = match wait {
                Wait::Budget(_) => (
                    "TooManyChanges",
                    format!(
                        "namespace {} has made several (--registry-rollout-interval-seconds)",
                        server.namespace
                    ),
                ),
                Wait::Pause(_) => (
                    "WaitsForRollout",
                    "the last one was just now: what waits goes together (--registry-rollout-pause-seconds)"
                        .to_owned(),
                ),
            };
            let message =
                format!("Waits until {until}: LiteLLM is restarted for each change, and {why}");
            let known = self.registrations.remove(&server.to_string());
            let (registered_name, state) = match known {
                Some(known) if known.state != State::Refused => {
                    (known.registered_name, State::Pending)
                }
                _ => (String::new(), State::Absent),
            };
            let registration = Registration {
                server: server.to_string(),
                registered_name,
                state,
                reason: reason.to_owned(),
                message,
            };
            self.registrations.insert(server.to_string(), registration);
        }
    }

    /// How many servers should be registered, and how many of them are not registered as they should be.
    pub(crate) fn count(&self) -> (usize, usize) {
        let states = self.registrations.values();
        let pending = states.filter(|it| it.state != State::Registered);
        (self.registrations.len(), pending.count())
    }

    /// Also for servers that were registered until now.
    pub(crate) fn overriding_registered(self) -> Self {
        Self {
            override_registered: true,
            ..self
        }
    }

    /// The condition of one server, and the name that the gateway knows it by; nothing if it stays as it is.
    pub(crate) fn of_server(
        &self,
        candidate: &Candidate<'_>,
        grace_periods: GracePeriods,
    ) -> Option<(ConditionDraft, String)> {
        let server = &candidate.server;
        let key = ServerKey::of(&**server).to_string();
        let Some(registration) = self.registrations.get(&key) else {
            let may_remain = self.may_remain.as_ref();
            let may_remain = may_remain.is_none_or(|servers| servers.contains(&key));
            let draft = desired_entries::unlisted_condition(candidate, grace_periods, may_remain)?;
            return Some((draft, String::new()));
        };
        let status = match registration.state {
            State::Registered => ConditionStatus::True,
            State::Pending
                if !self.override_registered && desired_entries::still_registered(candidate) =>
            {
                return None;
            }
            State::Pending | State::Absent => ConditionStatus::Unknown,
            State::Refused => ConditionStatus::False,
        };
        let draft = ConditionDraft::new(
            LITELLM_REGISTERED,
            status,
            registration.reason.clone(),
            registration.message.clone(),
        );
        Some((draft, registration.registered_name.clone()))
    }
}

#[cfg(test)]
#[path = "registration_conditions_tests.rs"]
mod tests;
