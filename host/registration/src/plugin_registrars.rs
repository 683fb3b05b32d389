//! Registrars that are plugins: observe, plan and execute for real.

use std::sync::Arc;

use kube::Client;
use mcp_operator_connections::{RetryAfterGate, Session};
use mcp_operator_core::desired_entries::RegistrationEntry;
use mcp_operator_core::handover::RegistrarFootprint;
use mcp_operator_core::registration_plan::Observed;
use mcp_operator_metrics::{ReconcileMetrics, RegistrationMetrics};
use mcp_operator_policy::{ActivePlugin, PluginLoader, Snapshots, activate_recorded};
use mcp_operator_runtime::{Leadership, NamespaceSecrets};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::RegistrationError;
use crate::execute::{ExecutionOutcome, Executor};
use crate::observe::observe;
use crate::plan::PlannedRegistration;
use crate::record::RecordedRegistrar;
use crate::registrars::{Registrar, Registrars};

/// Runs registrars in the plugin host, and reads and writes for them.
pub(crate) struct PluginRegistrars {
    pub(crate) client: Client,
    pub(crate) snapshots: Snapshots,
    pub(crate) loader: PluginLoader,
    /// Name of this installation.
    pub(crate) instance: String,
    /// Those of the operator's namespace.
    pub(crate) secrets: NamespaceSecrets,
    /// Services that want no request now.
    pub(crate) gate: RetryAfterGate,
    /// Steps are carried out only while it is held.
    pub(crate) leadership: Leadership,
    /// No further step of a plan begins after it.
    pub(crate) stop: CancellationToken,
    /// Where failures of steps are counted.
    pub(crate) reconciles: ReconcileMetrics,
    /// Where steps are counted.
    pub(crate) metrics: RegistrationMetrics,
}

impl Registrar for ActivePlugin {
    fn name(&self) -> &str {
        self.name()
    }

    fn uid(&self) -> &str {
        self.uid()
    }

    fn spec(&self) -> &str {
        self.spec()
    }

    fn fingerprint(&self) -> &str {
        self.fingerprint()
    }
}

impl Registrars for PluginRegistrars {
    type Registrar = ActivePlugin;

    fn candidates(&self) -> Vec<Arc<ActivePlugin>> {
        self.snapshots.current().registrars().cloned().collect()
    }

    async fn describe(
        &self,
        registrar: &ActivePlugin,
    ) -> Result<RegistrarFootprint, RegistrationError> {
        let reads = registrar.observe().await?;
        let base_url = |name: &str| {
            let mut connections = registrar.connections().base_urls();
            connections
                .find(|(known, _)| *known == name)
                // Requests go to the same place with and without it.
                .map(|(_, url)| url.trim_end_matches('/').to_owned())
        };
        let component = &registrar.description().name;
        Ok(RegistrarFootprint::new(component, &reads, base_url))
    }

    async fn plan(
        &self,
        registrar: &ActivePlugin,
        servers: &[RegistrationEntry],
    ) -> Result<PlannedRegistration, RegistrationError> {
        let reads = registrar.observe().await?;
        let session = Session::open(&self.secrets, registrar.connections(), &self.gate).await;
        let observations = observe(&self.client, &session, &reads).await;
        for observation in &observations {
            if let Observed::Unavailable(why) = &observation.state {
                warn!(
                    read = observation.id,
                    error = why,
                    "the registrar's read failed"
                );
            }
        }
        let plan = registrar
            .plan(&self.instance, servers, &observations)
            .await?;
        Ok(PlannedRegistration {
            session,
            observations,
            plan,
        })
    }

    async fn execute(&self, planned: &PlannedRegistration) -> ExecutionOutcome {
        let executor = Executor {
            client: &self.client,
            session: &planned.session,
            leadership: &self.leadership,
            stop: &self.stop,
        };
        let outcome = executor.execute(&planned.plan.steps).await;
        outcome.count(&self.reconciles, &self.metrics);
        outcome
    }

    async fn activate_recorded(
        &self,
        recorded: &RecordedRegistrar,
    ) -> Result<Arc<ActivePlugin>, String> {
        activate_recorded(&self.loader, &recorded.plugin, recorded.spec.get()).await
    }
}
