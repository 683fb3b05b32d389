//! What a reconcile works with.

use kube::{Client, ResourceExt};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build;
use mcp_operator_core::hash_key::HashKey;
use mcp_operator_core::registration_basis::RegistrationBasis;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_metrics::ReconcileMetrics;
use mcp_operator_policy::{Judgement, PolicyError, ReconcileInputs, Snapshot, Snapshots};
use mcp_operator_runtime::{Events, JudgedServers, Namespaces, ServerStore};

use tokio::sync::watch;

use crate::adopt::KeptPods;
use crate::cache::{ObjectCache, PodIssues, ReportCache, SecretHashes};
use crate::fight_detector::FightDetector;
use crate::identity_delay::IdentityDelay;
use crate::noop_cache::NoopCache;
use crate::probe_failures::ProbeFailures;
use crate::requeue::Backoff;
use crate::violations::{ViolatingServers, Violators, asked};
use std::sync::Arc;
use std::time::Duration;

/// What the administrator decides for all servers, and what the program gives.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// What goes into objects.
    pub build: build::Settings,
    /// Reconciles that may run at the same time; 0: no limit.
    pub concurrency: u16,
    /// How long pods wait for a ServiceAccount with another role of a cloud to be known to whoever gives them that.
    pub identity_delay: Duration,
    /// Key of the hashes of Secrets: [`obtain_hash_key`](crate::obtain_hash_key).
    pub hash_key: HashKey,
    /// Whether violations are told in Reports, where there are some.
    pub reports: bool,
    /// Where reconciles are counted.
    pub metrics: ReconcileMetrics,
}

/// What a reconcile works with. Everything in it can be shared by all reconciles.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) settings: ControllerSettings,
    pub(crate) snapshots: Snapshots,
    pub(crate) namespaces: Namespaces,
    pub(crate) events: Events,
    /// All MCPServers, and the statuses that were written last.
    pub(crate) servers: ServerStore,
    /// What the registration needs to know about them.
    pub(crate) judged: JudgedServers,
    /// Our objects.
    pub(crate) objects: ObjectCache,
    pub(crate) pod_issues: PodIssues,
    pub(crate) probe_failures: Arc<ProbeFailures>,
    pub(crate) secret_hashes: SecretHashes,
    pub(crate) fights: FightDetector,
    pub(crate) identity_delay: Arc<IdentityDelay>,
    pub(crate) kept_pods: Arc<KeptPods>,
    pub(crate) noop_cache: Arc<NoopCache>,
    pub(crate) backoff: Arc<Backoff>,
    /// What the statuses of MCPPlugins say of it; nothing while nobody knows.
    pub(crate) violating_servers: watch::Sender<Option<ViolatingServers>>,
    /// What Reports say; nothing while nobody knows.
    pub(crate) violators: watch::Sender<Option<Arc<Violators>>>,
    /// What there is of them.
    pub(crate) reports: ReportCache,
}

impl Context {
    /// What decides about the objects of a server, besides the server itself and the plugins.
    ///
    /// # Errors
    /// When its namespace cannot be read: rules would judge by annotations that it only seems not to have.
    pub(crate) async fn reconcile_inputs(
        &self,
        server: &McpServer,
    ) -> Result<ReconcileInputs<'_>, PolicyError> {
        let namespace = server.namespace().unwrap_or_default();
        let found = self.namespaces.find(&namespace).await;
        Ok(ReconcileInputs {
            build: &self.settings.build,
            namespace: found.map_err(PolicyError::Namespace)?,
        })
    }

    /// Notes what these plugins say of a server: what the rules let be registered of it, and what it breaks of them.
    pub(crate) fn record_judgement(
        &self,
        server: &McpServer,
        plugins: &Snapshot,
        judged: &Result<Judgement, PolicyError>,
    ) {
        let build = &self.settings.build;
        let basis = match judged {
            Ok(Judgement::Admitted(admitted)) => {
                RegistrationBasis::of_admitted(&admitted.defaulted, build)
            }
            Ok(Judgement::Invalid(invalid)) => RegistrationBasis::of_denied(
                &invalid.defaulted,
                build,
                &invalid.errors,
                invalid.on_existing,
            ),
            Err(_) => RegistrationBasis::Unknown,
        };
        self.judged.record_basis(server, basis);
        if let Ok(judgement) = judged {
            let defaults = judgement.defaults().to_vec();
            self.judged.record_defaults(server, defaults);
        }
        let violations = judged.as_ref().ok().map(|it| it.violations().to_vec());
        let asked = asked(plugins);
        self.judged.record_violations(server, asked, violations);
    }

    /// Notes that these plugins would say of a server what is known already.
    pub(crate) fn record_same(&self, server: &McpServer, plugins: &Snapshot) {
        self.judged.record_same(server);
        self.judged.record_violations(server, asked(plugins), None);
    }

    /// Notes that nobody can say anything about a server, and nothing is to be waited for.
    pub(crate) fn record_unknown(&self, server: &McpServer) {
        self.judged.record_basis(server, RegistrationBasis::Unknown);
        let asked = asked(&self.snapshots.current());
        self.judged.record_violations(server, asked, None);
    }

    /// Forgets everything about a server that is gone, or is going.
    pub(crate) fn forget(&self, server: &ServerKey) {
        self.noop_cache.forget(server);
        self.backoff.reset(server);
        self.probe_failures.forget(server);
        self.judged.forget(server);
        self.identity_delay.forget(server);
        self.kept_pods.forget(server);
    }
}
