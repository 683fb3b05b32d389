//! The wiring: which watches feed the work queue, and what is done with what comes out of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, future};
use kube::Client;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_policy::Snapshots;
use mcp_operator_runtime::{
    Events, JudgedServers, Namespaces, Priority, ServerChange, ServerStore, TaskGroup, WatchEnded,
    WorkQueue,
};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::adopt::KeptPods;
use crate::cache::{ObjectCache, PodIssues, ReportCache, SecretHashes};
use crate::context::{Context, ControllerSettings};
use crate::fight_detector::FightDetector;
use crate::identity_delay::IdentityDelay;
use crate::noop_cache::NoopCache;
use crate::probe_failures::ProbeFailures;
use crate::requeue::{Backoff, RetryLimiter};
use crate::{orphans, reports, schedule, violations, workers};

/// Merges the many events of one moment, such as the steps in which the status of a Deployment is written: short for a
/// person who watches, long for controllers.
pub(crate) const DEBOUNCE: Duration = Duration::from_millis(200);

/// The controller of MCPServers.
pub struct Controller {
    pub(crate) context: Arc<Context>,
    queue: WorkQueue<ServerKey>,
    /// Servers that turned out not to be there. What one term could not delete of theirs is left to the next.
    absent: WorkQueue<ServerKey>,
}

impl Controller {
    /// Starts all watches, by `client`. Nothing is written before [`run`](Self::run), and that by `writer`.
    pub fn new(
        client: &Client,
        writer: Client,
        settings: ControllerSettings,
        snapshots: Snapshots,
        namespaces: Namespaces,
        events: Events,
        tasks: &TaskGroup,
    ) -> Self {
        let queue = WorkQueue::default();
        let (noop_cache, backoff) = (Arc::<NoopCache>::default(), Arc::<Backoff>::default());
        let judged = JudgedServers::default();
        let identity_delay = Arc::new(IdentityDelay::new(settings.identity_delay));
        let probe_failures = Arc::new(ProbeFailures::new(client.clone()));
        let kept_pods = Arc::<KeptPods>::default();
        let on_change = {
            let (queue, noop_cache, backoff) = (queue.clone(), noop_cache.clone(), backoff.clone());
            let (judged, probe_failures) = (judged.clone(), probe_failures.clone());
            let (identity_delay, kept_pods) = (identity_delay.clone(), kept_pods.clone());
            move |change| {
                if let ServerChange::Deleted(server) = &change {
                    noop_cache.forget(server);
                    judged.forget(server);
                    probe_failures.forget(server);
                    identity_delay.forget(server);
                    kept_pods.forget(server);
                }
                on_server_change(change, &queue, &backoff);
            }
        };
        let servers = ServerStore::watch(client, tasks, on_change);
        let context = Context {
            objects: ObjectCache::watch(client, tasks, &queue, &servers),
            servers,
            pod_issues: PodIssues::watch(client, tasks, &queue),
            probe_failures,
            secret_hashes: SecretHashes::watch(client, tasks, &queue),
            fights: FightDetector::default(),
            identity_delay,
            kept_pods,
            noop_cache,
            backoff,
            violating_servers: watch::Sender::new(None),
            violators: watch::Sender::new(None),
            reports: ReportCache::watch(client, tasks),
            judged,
            client: writer,
            settings,
            snapshots,
            namespaces,
            events,
        };
        Self {
            context: Arc::new(context),
            queue,
            absent: WorkQueue::default(),
        }
    }

    /// All MCPServers, for others who need them.
    pub fn servers(&self) -> &ServerStore {
        &self.context.servers
    }

    /// What has to be looked at.
    pub fn queue(&self) -> &WorkQueue<ServerKey> {
        &self.queue
    }

    /// What it finds out about them, for the registration.
    pub fn judged(&self) -> &JudgedServers {
        &self.context.judged
    }

    /// How many servers break rules, by the name of the plugin in force that has them; none while it does not run, and before
    /// all of them are judged.
    pub fn violating_servers(&self) -> impl Fn() -> BTreeMap<String, u32> + Send + 'static {
        let context = Arc::clone(&self.context);
        move || {
            let counts = context.violating_servers.borrow();
            let counts = counts.iter().flatten();
            let with_rules = counts.filter_map(|(plugin, count)| Some((plugin.clone(), (*count)?)));
            with_rules.collect()
        }
    }

    /// Waits until the watches have shown what is there. Without that, pods would be replaced for Secrets that only have not
    /// been seen yet.
    ///
    /// # Errors
    /// When one of them has ended.
    pub async fn ready(&self) -> Result<(), WatchEnded> {
        self.context.servers.ready().await?;
        self.context.objects.ready().await?;
        self.context.secret_hashes.ready().await?;
        self.context.pod_issues.ready().await
    }

    /// Before a term as the leader: forgets what it found out in an earlier one, since another replica may have led
    /// meanwhile, and has all servers looked at again.
    pub fn begin_term(&self) {
        self.context.noop_cache.clear();
        self.context.backoff.clear();
        self.context.judged.clear();
        // Those that somebody has changed meanwhile are in the queue already, and come first.
        self.queue_servers(Priority::Low, |_| true);
    }

    /// Runs until `shutdown`; reconciles that are going on are finished first. The watches are [ready](Self::ready).
    pub async fn run(&self, shutdown: CancellationToken) {
        let reconciles = self.reconciles(shutdown.clone());
        let resyncs = self.resyncs(shutdown.clone());
        let orphans = orphans::run(&self.context, &self.absent, shutdown.clone());
        let changes = self.context.namespaces.changes();
        let namespaces = self.namespace_changes(changes, shutdown.clone());
        let reports = reports::run(&self.context, shutdown.clone());
        let violations = violations::run(&self.context, shutdown);
        tokio::join!(
            reconciles, resyncs, orphans, namespaces, violations, reports
        );
    }

    /// What the platform says of a namespace concerns the servers in it: they are judged again at once.
    async fn namespace_changes(
        &self,
        mut changes: broadcast::Receiver<String>,
        shutdown: CancellationToken,
    ) {
        loop {
            let changed = tokio::select! {
                changed = changes.recv() => changed,
                () = shutdown.cancelled() => return,
            };
            let namespace = match changed {
                Ok(namespace) => Some(namespace),
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => return,
            };
            self.queue_servers(Priority::Normal, |server| {
                let is_in = |namespace: &String| *namespace == server.namespace;
                namespace.as_ref().is_none_or(is_in)
            });
        }
    }

    fn queue_servers(&self, priority: Priority, is_concerned: impl Fn(&ServerKey) -> bool) {
        let servers = self.context.servers.store().state();
        let keys = servers.iter().map(|server| ServerKey::of(&**server));
        keys.filter(is_concerned)
            .for_each(|key| self.queue.add_after(key, Duration::ZERO, priority));
    }

    async fn reconciles(&self, shutdown: CancellationToken) {
        let concurrency = self.context.settings.concurrency;
        let retries = Arc::new(RetryLimiter::new(concurrency));
        let reconcile = |key: ServerKey| {
            let (context, retries) = (Arc::clone(&self.context), Arc::clone(&retries));
            let absent = self.absent.clone();
            async move {
                let Some(server) = context.servers.get(&key) else {
                    // No reconcile of it is going on that could create anything.
                    absent.add(key);
                    return None;
                };
                schedule::run(server, &context, &retries).await
            }
        };
        workers::run(&self.queue, concurrency, shutdown, reconcile).await;
    }

    /// Reconciles all servers whenever the plugins in force are others, or more or less can be read than before. What users
    /// change meanwhile does not wait for that.
    async fn resyncs(&self, shutdown: CancellationToken) {
        let plugins = plugin_changes(self.context.snapshots.clone());
        stream::select(plugins, self.availability_changes())
            .take_until(shutdown.cancelled_owned())
            .for_each(|()| {
                self.queue_servers(Priority::Low, |_| true);
                future::ready(())
            })
            .await;
    }

    fn availability_changes(&self) -> BoxStream<'static, ()> {
        let context = &self.context;
        let secrets_and_pods = stream::select(
            context.secret_hashes.availability_changes(),
            context.pod_issues.availability_changes(),
        );
        stream::select(context.objects.availability_changes(), secrets_and_pods).boxed()
    }
}

/// What the user of a server has changed does not wait for the backoff of what was before.
fn on_server_change(change: ServerChange, queue: &WorkQueue<ServerKey>, backoff: &Backoff) {
    match change {
        ServerChange::Spec(server) | ServerChange::Deleted(server) => {
            backoff.reset(&server);
            queue.add(server);
        }
        // At most its status changes.
        ServerChange::Listed(server)
        | ServerChange::Registration(server)
        | ServerChange::Status(server) => {
            queue.add_after(server, Duration::ZERO, Priority::Low);
        }
    }
}

fn plugin_changes(snapshots: Snapshots) -> BoxStream<'static, ()> {
    stream::unfold(snapshots, |mut snapshots| async {
        snapshots.changed().await;
        Some(((), snapshots))
    })
    .boxed()
}
