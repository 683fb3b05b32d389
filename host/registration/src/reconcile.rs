//! One pass: from all MCPServers to the gateway, and back to their conditions.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use kube::Client;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::conditions::{ConditionDraft, ConditionStatus};
use mcp_operator_core::desired_entries::{self, Candidate, DesiredEntries, RegistrationEntry};
use mcp_operator_core::remote::relocation::keep_remote_until_pods_serve;
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_core::rollout_budget::{Budgeted, RolloutBudget};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_metrics::{ReconcileMetrics, ReconcileResult, RegistrationMetrics};
use mcp_operator_runtime::{GuardedServer, JudgedServers, ServerStore};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, warn};

use crate::active_registrar::RegistrarHandover;
use crate::beliefs::Beliefs;
use crate::debounce::{DesiredState, NamespaceState};
use crate::error::RegistrationError;
use crate::gateway_events::GatewayEvents;
use crate::registrar_conditions::RegistrarConditions;
use crate::registrars::{RecordStore, Registrar, Registrars};
use crate::registration_conditions::RegistrationConditions;
use crate::requeue::PassResult;
use crate::selection::Selection;
use crate::settings::RegistrationSettings;
use crate::spans;
use crate::status_writer::{Said, StatusWriter};

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
    pub(crate) gateway_events: GatewayEvents,
    /// What the last pass registered: an MCPServer that cannot be read stays as it was.
    pub(crate) last: DesiredEntries,
    /// How often namespaces may change what is registered.
    pub(crate) budget: RolloutBudget,
    /// The last plan was one of a registrar that restarts the gateway: only then changes are bounded.
    pub(crate) restarts_gateway: bool,
    /// No further step begins after it.
    pub(crate) stop: CancellationToken,
    /// Where passes are counted.
    pub(crate) reconciles: ReconcileMetrics,
    /// Where it is told how the registration stands.
    pub(crate) metrics: RegistrationMetrics,
}

impl<W: Registrars, S: RecordStore> Reconciler<W, S> {
    /// One pass. Errors end in the conditions and in the log; the next pass tries again.
    pub(crate) async fn reconcile(&mut self) -> PassResult {
        let span = spans::pass();
        // In a box of its own: steps within steps are deeper than the compiler goes.
        let result = Box::pin(self.pass()).instrument(span.clone()).await;
        spans::end_pass(&span, &result, self.last.entries.len());
        result
    }

    async fn pass(&mut self) -> PassResult {
        let began = Instant::now();
        let guarded = self.servers.all();
        let servers = readable(&guarded);
        self.beliefs.observe(&servers);
        // One look for the whole pass: a condition explains what was planned, whatever has changed since.
        let candidates = self.candidates(&servers);
        let desired = self.desired_entries(&candidates, None);
        let Budgeted {
            entries: desired,
            waiting,
        } = self.within_budget(desired);
        let (mut conditions, mut result) = self.register(&desired).await.unwrap_or_else(|error| {
            warn!(category = error.category(), %error, "registration failed");
            self.reconciles.record_error(error.category());
            let conditions =
                RegistrationConditions::of_all(&desired, error.category(), &error.to_string());
            (conditions, PassResult::failed(&error))
        });
        conditions.hold_back(&waiting);
        let (registered, pending) = conditions.count();
        self.metrics.record_servers(registered, pending);
        let said = self.statuses(&servers, &candidates, &desired, &conditions);
        for said in &said {
            self.beliefs.record(said);
        }
        let writing = self.write(&said);
        result.done &= writing.instrument(spans::step("write conditions")).await;
        result.recheck_at = desired.recheck_at;
        self.last = desired;
        self.record(&result, began);
        result
    }

    /// What the status of each server says of its registration.
    fn statuses<'a>(
        &self,
        servers: &[&'a McpServer],
        candidates: &[Candidate<'_>],
        desired: &DesiredEntries,
        conditions: &RegistrationConditions,
    ) -> Vec<Said<'a>> {
        let mut said = Vec::new();
        for (server, candidate) in servers.iter().zip(candidates) {
            let entry = desired.find(&ServerKey::of(*server));
            let condition = conditions.of_server(candidate, self.settings.grace_periods);
            let Some((draft, registered_name)) = condition else {
                said.extend(self.beliefs.correction(server));
                continue;
            };
            self.judged
                .record_registered(server, fingerprint(&draft, entry));
            said.push(Said {
                server,
                generation: generation_of(candidate, entry),
                remote_url: remote_url(&registered_name, entry),
                draft,
                registered_name,
            });
        }
        said
    }

    async fn write(&self, said: &[Said<'_>]) -> bool {
        let writer = StatusWriter {
            client: &self.client,
            servers: &self.servers,
            stop: &self.stop,
        };
        writer.write(said).await
    }

    fn record(&self, result: &PassResult, began: Instant) {
        let counted = match result {
            PassResult {
                failed: Some(_), ..
            } => ReconcileResult::Error,
            PassResult { done: true, .. } => ReconcileResult::Success,
            PassResult { .. } => ReconcileResult::RequeueAfter,
        };
        self.reconciles.record(counted, began.elapsed());
        if result.failed.is_none() {
            self.metrics.record_success(Timestamp::now().as_second());
        }
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

    /// What should be registered now of each namespace, and whether that is about to change. A namespace that has to wait
    /// anyway keeps nobody else waiting, but what it removes is carried out.
    pub(crate) fn desired_state(&self) -> DesiredState {
        let guarded = self.servers.all();
        let now = Timestamp::now();
        let mut servers: BTreeMap<&str, Vec<&McpServer>> = BTreeMap::new();
        for entry in &self.last.entries {
            servers.entry(&entry.key.namespace).or_default();
        }
        for server in readable(&guarded) {
            let namespace = server.metadata.namespace.as_deref().unwrap_or_default();
            servers.entry(namespace).or_default().push(server);
        }
        let namespaces = servers.into_iter().map(|(namespace, servers)| {
            let desired = self.desired_entries(&self.candidates(&servers), Some(namespace));
            let last = self.last.of_namespace(namespace);
            let waits = self.restarts_gateway && self.budget.waits_until(namespace, now).is_some();
            let state = if waits {
                NamespaceState {
                    fingerprint: 0,
                    starting_until: None,
                    is_pending: last.iter().any(|entry| desired.find(&entry.key).is_none()),
                }
            } else {
                let mut hasher = DefaultHasher::new();
                desired.entries.hash(&mut hasher);
                NamespaceState {
                    fingerprint: hasher.finish(),
                    starting_until: desired.starting_until,
                    is_pending: last != desired.entries,
                }
            };
            (namespace.to_owned(), state)
        });
        DesiredState(namespaces.collect())
    }

    fn candidates<'a>(&self, servers: &[&'a McpServer]) -> Vec<Candidate<'a>> {
        let servers = servers.iter();
        let candidates = servers.map(|server| self.beliefs.candidate(server, &self.judged));
        candidates.collect()
    }

    /// Of all namespaces, or of one.
    fn desired_entries(
        &self,
        candidates: &[Candidate<'_>],
        namespace: Option<&str>,
    ) -> DesiredEntries {
        let settings = &self.settings;
        let mut desired = desired_entries::desired(
            candidates,
            &settings.build,
            settings.grace_periods,
            Timestamp::now(),
        );
        let is_asked_for = |key: &ServerKey| namespace.is_none_or(|it| it == key.namespace);
        keep_remote_until_pods_serve(&mut desired, &self.last, candidates);
        let unreadable = self.servers.unreadable().into_iter();
        for key in unreadable.filter(is_asked_for) {
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
        let selecting = self
            .handover
            .select(&self.registrars, &candidates, &desired.entries);
        let selecting = selecting.instrument(spans::step("select registrar"));
        let selection = selecting.await?;
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
        let planning = self.registrars.plan(registrar, &desired.entries);
        let planned = planning.instrument(spans::plan(registrar.name())).await?;
        self.restarts_gateway = planned.has_workloads();
        self.gateway_events.observe(&planned).await;
        let executing = self.registrars.execute(&planned);
        let outcome = executing.instrument(spans::step("execute plan")).await;
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

/// Of which entry it is said how it stands.
fn fingerprint(draft: &ConditionDraft, entry: Option<&RegistrationEntry>) -> Option<u64> {
    let is_known = draft.status != ConditionStatus::Unknown;
    entry
        .filter(|_| is_known)
        .map(RegistrationEntry::fingerprint)
}

/// Of which generation something is said: an entry that has to stay as it was is that of the generation before.
fn generation_of(candidate: &Candidate<'_>, entry: Option<&RegistrationEntry>) -> Option<i64> {
    match candidate.said() {
        Some(said) if !candidate.is_entry(entry) => said.observed_generation,
        _ => candidate.generation,
    }
}

/// Where the gateway is told that a server is that it knows, where that is elsewhere.
fn remote_url(registered_name: &str, entry: Option<&RegistrationEntry>) -> Option<String> {
    let entry = entry.filter(|entry| entry.is_remote && !registered_name.is_empty())?;
    Some(entry.url.clone())
}

fn readable(guarded: &[Arc<GuardedServer>]) -> Vec<&McpServer> {
    let servers = guarded.iter().filter_map(|guarded| guarded.readable());
    servers.collect()
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
