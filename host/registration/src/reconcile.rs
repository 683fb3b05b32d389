//! One pass: from all MCPServers to the gateway, and back to their conditions.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::ConditionDraft;
use mcp_operator_core::desired_entries::{self, Candidate, DesiredEntries};
use mcp_operator_core::remote::relocation::keep_remote_until_pods_serve;
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_core::rollout_budget::{Budgeted, RolloutBudget};
use mcp_operator_runtime::{GuardedServer, JudgedServers, ServerStore};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::active_registrar::RegistrarHandover;
use crate::beliefs::Beliefs;
use crate::debounce::DesiredState;
use crate::error::RegistrationError;
use crate::registrar_conditions::RegistrarConditions;
use crate::registrars::{RecordStore, Registrar, Registrars};
use crate::registration_conditions::RegistrationConditions;
use crate::requeue::PassResult;
use crate::selection::Selection;
use crate::settings::RegistrationSettings;
use crate::status_writer::StatusWriter;

/// Everything that a pass needs, and what one leaves to the next.
pub(crate) struct Reconciler<W: Registrars, S> {
    pub(crate) client: Client,
    pub(crate) settings: RegistrationSettings,
    pub(crate) servers: ServerStore,
    /// What the controller finds out about them.
    pub(crate) judged: JudgedServers,
    pub(crate) beliefs: Beliefs,
    pub(crate) registrars: W,
    pub(crate) handover: RegistrarHandover<W::Registrar, S>,
    pub(crate) registrar_conditions: RegistrarConditions,
    /// What the last pass registered: an MCPServer that cannot be read stays as it was.
    pub(crate) last: DesiredEntries,
    /// How often namespaces may change what is registered.
    pub(crate) budget: RolloutBudget,
    /// The last plan was one of a registrar that restarts the gateway: only then changes are bounded.
    pub(crate) restarts_gateway: bool,
    /// No further step begins after it.
    pub(crate) stop: CancellationToken,
}

impl<W: Registrars, S: RecordStore> Reconciler<W, S> {
    /// One pass. Errors end in the conditions and in the log; the next pass tries again.
    pub(crate) async fn reconcile(&mut self) -> PassResult {
        let guarded = self.servers.all();
        let servers = readable(&guarded);
        self.beliefs.observe(&servers);
        // One look for the whole pass: a condition explains what was planned, whatever has changed since.
        let candidates = self.candidates(&servers);
        let desired = self.desired_entries(&candidates);
        let Budgeted {
            entries: desired,
            waiting,
        } = self.within_budget(desired);
        let (mut conditions, mut result) = self.register(&desired).await.unwrap_or_else(|error| {
            warn!(category = error.category(), %error, "registration failed");
            let conditions =
                RegistrationConditions::of_all(&desired, error.category(), &error.to_string());
            (conditions, PassResult::failed(&error))
        });
        conditions.hold_back(&waiting);
        let writer = StatusWriter {
            client: &self.client,
            servers: &self.servers,
            stop: &self.stop,
        };
        let grace_periods = self.settings.grace_periods;
        let said: Vec<(&McpServer, ConditionDraft, String)> = servers
            .iter()
            .zip(&candidates)
            .filter_map(|(server, candidate)| {
                let condition = conditions.of_server(candidate, grace_periods);
                let (draft, registered_name) =
                    condition.or_else(|| self.beliefs.correction(server))?;
                Some((*server, draft, registered_name))
            })
            .collect();
        for (server, draft, _) in &said {
            self.beliefs.record(server, draft);
        }
        result.done &= writer.write(&said).await;
        result.recheck_at = desired.recheck_at;
        self.last = desired;
        result
    }

    /// What may be registered now of what should be.
    fn within_budget(&mut self, desired: DesiredEntries) -> Budgeted {
        if self.restarts_gateway {
            return self.budget.spend(&self.last, desired, Timestamp::now());
        }
        Budgeted {
            entries: desired,
            waiting: BTreeMap::new(),
        }
    }

    /// What should be registered now, and whether that is about to change. A namespace that has to wait anyway keeps nobody
    /// else waiting.
    pub(crate) fn desired_state(&self) -> DesiredState {
        let guarded = self.servers.all();
        let now = Timestamp::now();
        let may_change = |server: &&McpServer| {
            let namespace = server.metadata.namespace.as_deref().unwrap_or_default();
            !self.restarts_gateway || self.budget.waits_until(namespace, now).is_none()
        };
        let mut servers = readable(&guarded);
        servers.retain(may_change);
        let desired = self.desired_entries(&self.candidates(&servers));
        let mut hasher = DefaultHasher::new();
        desired.entries.hash(&mut hasher);
        DesiredState {
            fingerprint: hasher.finish(),
            starting_until: desired.starting_until,
        }
    }

    fn candidates<'a>(&self, servers: &[&'a McpServer]) -> Vec<Candidate<'a>> {
        let servers = servers.iter();
        let candidates = servers.map(|server| self.beliefs.candidate(server, &self.judged));
        candidates.collect()
    }

    fn desired_entries(&self, candidates: &[Candidate<'_>]) -> DesiredEntries {
        let settings = &self.settings;
        let mut desired = desired_entries::desired(
            candidates,
            &settings.build,
            settings.grace_periods,
            Timestamp::now(),
        );
        keep_remote_until_pods_serve(&mut desired, &self.last, candidates);
        for key in self.servers.unreadable() {
            if let Some(entry) = self.last.find(&key) {
                desired.keep(entry.clone());
            }
        }
        desired
    }

    /// Selects the registrar, which includes the hand-over from another one, and lets it register.
    async fn register(
        &mut self,
        desired: &DesiredEntries,
    ) -> Result<(RegistrationConditions, PassResult), RegistrationError> {
        let candidates = self.registrars.candidates();
        let selection = self
            .handover
            .select(&self.registrars, &candidates, &desired.entries)
            .await?;
        let are_written = self
            .registrar_conditions
            .write(&candidates, &selection)
            .await;
        let (conditions, mut result) = match &selection {
            Selection::Active {
                registrar,
                waiting,
                drain_stuck,
            } => {
                let (conditions, mut result) = self.register_by(registrar, desired).await?;
                // Somebody else must mend what keeps another registrar from coming or going.
                let is_incomplete = result.done && (waiting.is_some() || drain_stuck.is_some());
                let incomplete = is_incomplete.then_some(ErrorClass::External);
                result.failed = result.failed.or(incomplete);
                (conditions, result)
            }
            nobody_registers => without_registrar(nobody_registers, desired),
        };
        result.done &= are_written;
        Ok((conditions, result))
    }

    /// Observes, plans, and carries out what is planned.
    async fn register_by(
        &mut self,
        registrar: &W::Registrar,
        desired: &DesiredEntries,
    ) -> Result<(RegistrationConditions, PassResult), RegistrationError> {
        let planned = self.registrars.plan(registrar, &desired.entries).await?;
        self.restarts_gateway = planned.has_workloads();
        let outcome = self.registrars.execute(&planned).await;
        let conditions = RegistrationConditions::of_plan(desired, &planned, &outcome);
        Ok((conditions, PassResult::of(&planned, &outcome)))
    }
}

/// What is said about all servers while nobody registers.
fn without_registrar<R: Registrar>(
    selection: &Selection<R>,
    desired: &DesiredEntries,
) -> (RegistrationConditions, PassResult) {
    let all =
        |reason: &str, message: &str| RegistrationConditions::of_all(desired, reason, message);
    match selection {
        Selection::CandidateFailed { error, .. } => (
            all(error.category(), &error.to_string()),
            PassResult::failed(error),
        ),
        Selection::Draining {
            registrar,
            previous,
            progress,
            ..
        } => {
            let name = registrar.name();
            let message = format!("{name} registers when {previous} has left: {progress}");
            let conditions = all("RegistrarChanging", &message).overriding_registered();
            (conditions, PassResult::default())
        }
        Selection::NoRegistrar | Selection::Active { .. } => (
            all("NoRegistrar", "No MCPPlugin with a registrar is in force"),
            PassResult::done(),
        ),
    }
}

fn readable(guarded: &[Arc<GuardedServer>]) -> Vec<&McpServer> {
    let servers = guarded.iter().filter_map(|guarded| guarded.0.as_ref().ok());
    servers.collect()
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
