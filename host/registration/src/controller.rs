//! When a pass begins: after a change, collected for a moment; while something is on its way; and from time to time.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_connections::RetryAfterGate;
use mcp_operator_core::desired_entries::DesiredEntries;
use mcp_operator_core::rollout_budget::RolloutBudget;
use mcp_operator_metrics::{ReconcileMetrics, RegistrationMetrics};
use mcp_operator_policy::{PluginLoader, Snapshots};
use mcp_operator_runtime::named_watches::Named;
use mcp_operator_runtime::{
    Events, JudgedServers, Leadership, NamedWatches, NamespaceSecrets, ServerStore, TaskGroup,
    WorkQueue,
};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::active_registrar::RegistrarHandover;
use crate::beliefs::Beliefs;
use crate::debounce::wait_until_quiet;
use crate::gateway_events::GatewayEvents;
use crate::plugin_registrars::PluginRegistrars;
use crate::reconcile::Reconciler;
use crate::record::RecordConfigMap;
use crate::registrar_conditions::RegistrarConditions;
use crate::registrars::{RecordStore, Registrars};
use crate::requeue::Requeue;
use crate::settings::RegistrationSettings;

/// After a start, the registration waits no longer than this until the controller has been at all servers.
const FIRST_JUDGEMENT: Duration = Duration::from_mins(3);

/// What the registration works with.
#[derive(Clone)]
pub struct RegistrationContext {
    /// For watches.
    pub client: Client,
    /// For everything else: it works only while `leadership` is held.
    pub writer: Client,
    pub leadership: Leadership,
    pub settings: RegistrationSettings,
    /// The plugins in force.
    pub snapshots: Snapshots,
    /// All MCPServers.
    pub servers: ServerStore,
    /// What the controller finds out about them.
    pub judged: JudgedServers,
    pub events: Events,
    /// Loads a registrar that was replaced, so that it can be drained after a restart.
    pub loader: PluginLoader,
    /// Runs the watches of the Secrets that connections name.
    pub tasks: TaskGroup,
    /// Where passes are counted.
    pub reconciles: ReconcileMetrics,
    /// Where it is told how the registration stands.
    pub metrics: RegistrationMetrics,
}

/// Keeps the gateway in step with the MCPServers. After `stop`, it returns as soon as the present step is done.
pub async fn run(context: RegistrationContext, stop: CancellationToken) {
    if let Err(error) = context.servers.ready().await {
        warn!(%error, "registration ends");
        return;
    }
    // Until then, nobody knows what may be registered. A server that cannot be judged must not hold up all others.
    let judged = wait_until_judged(&context.servers, &context.judged);
    tokio::select! {
        _ = timeout(FIRST_JUDGEMENT, judged) => {}
        () = stop.cancelled() => return,
    }
    let mut wakeups = Wakeups::new(&context);
    let mut reconciler = reconciler(context, stop);
    // Whoever begins while the gateway is away has never succeeded, and is to be told of as one that no longer does.
    reconciler
        .metrics
        .record_success(Timestamp::now().as_second());
    run_passes(&mut reconciler, &mut wakeups).await;
    reconciler.metrics.forget();
}

/// Waits until the controller has been at every server at least once since the process began.
async fn wait_until_judged(servers: &ServerStore, judged: &JudgedServers) {
    let mut changes = judged.changes();
    loop {
        changes.mark_unchanged();
        let all = servers.all();
        let mut readable = all.iter().filter_map(|guarded| guarded.readable());
        let is_leaving = |server: &McpServer| server.metadata.deletion_timestamp.is_some();
        if readable.all(|server| is_leaving(server) || judged.get(server).is_some()) {
            return;
        }
        // The value that they are about holds the sender.
        let _ = changes.changed().await;
    }
}

/// One pass after the other.
async fn run_passes<W: Registrars, S: RecordStore>(
    reconciler: &mut Reconciler<W, S>,
    wakeups: &mut Wakeups,
) {
    let stop = reconciler.stop.clone();
    let settings = reconciler.settings.clone();
    let mut requeue = Requeue::default();
    while !stop.is_cancelled() {
        let result = reconciler.reconcile().await;
        let pause = requeue.after(&result, settings.resync);
        debug!(?pause, ?result, "registry");
        wakeups.watch_secrets();
        let next_pass = async {
            if timeout(pause, wakeups.changed()).await.is_ok() {
                let quiet = wait_until_quiet(
                    || reconciler.desired_state(),
                    || wakeups.servers.changed(),
                    settings.debounce,
                );
                // Changes that never end must not keep those waiting that came first.
                let _ = timeout(settings.longest_debounce, quiet).await;
            }
        };
        tokio::select! {
            () = next_pass => {}
            () = stop.cancelled() => {}
        }
        // The next pass reads all Secrets: whatever changed by now is known then.
        wakeups.rotated.clear();
    }
}

/// What a pass begins after, before its time.
struct Wakeups {
    servers: ServerStore,
    judged: watch::Receiver<()>,
    snapshots: Snapshots,
    /// The operator's own, which has the Secrets.
    namespace: String,
    secrets: NamedWatches,
    /// Secrets of connections that changed.
    rotated: WorkQueue<Named>,
}

impl Wakeups {
    fn new(context: &RegistrationContext) -> Self {
        let rotated = WorkQueue::default();
        Self {
            servers: context.servers.clone(),
            judged: context.judged.changes(),
            snapshots: context.snapshots.clone(),
            namespace: context.settings.namespace.clone(),
            secrets: NamedWatches::new(
                context.client.clone(),
                context.tasks.clone(),
                "Secret of a connection",
                rotated.clone(),
            ),
            rotated,
        }
    }

    async fn changed(&mut self) {
        tokio::select! {
            () = self.servers.changed() => {}
            // Its sender lives as long as the reconciler.
            _ = self.judged.changed() => {}
            () = self.snapshots.changed() => {}
            _ = self.rotated.next() => {}
        }
    }

    /// Watches the Secrets that registrars need, and no others.
    fn watch_secrets(&mut self) {
        let plugins = self.snapshots.current();
        let secrets = plugins
            .registrars()
            .flat_map(|plugin| plugin.connections().secrets())
            .map(|name| (self.namespace.clone(), name));
        self.secrets.keep::<Secret>(&secrets.collect());
    }
}

fn reconciler(
    context: RegistrationContext,
    stop: CancellationToken,
) -> Reconciler<PluginRegistrars, RecordConfigMap> {
    let records = RecordConfigMap::new(context.writer.clone(), &context.settings.namespace);
    let registrars = PluginRegistrars {
        client: context.writer.clone(),
        secrets: NamespaceSecrets::new(context.writer.clone(), &context.settings.namespace),
        snapshots: context.snapshots,
        loader: context.loader,
        instance: context.settings.instance.clone(),
        gate: RetryAfterGate::default(),
        leadership: context.leadership,
        stop: stop.clone(),
        reconciles: context.reconciles.clone(),
        metrics: context.metrics.clone(),
    };
    Reconciler {
        registrars,
        handover: RegistrarHandover::new(records, stop.clone()),
        gateway_events: GatewayEvents::new(context.events.clone()),
        registrar_conditions: RegistrarConditions::new(context.writer.clone(), context.events),
        client: context.writer,
        budget: RolloutBudget::new(
            context.settings.rollout_interval,
            context.settings.rollout_pause,
        ),
        restarts_gateway: false,
        settings: context.settings,
        servers: context.servers,
        judged: context.judged,
        beliefs: Beliefs::default(),
        last: DesiredEntries::default(),
        stop,
        reconciles: context.reconciles,
        metrics: context.metrics,
    }
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
