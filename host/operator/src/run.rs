//! `mcp-operator run`: the wiring, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mcp_operator_admission::{AdmissionState, Drain, router, serve};
use mcp_operator_controller::{Controller, obtain_hash_key};
use mcp_operator_metrics::{CertificateMetrics, Metrics};
use mcp_operator_plugin_catalog::PluginCatalog;
use mcp_operator_policy::{PluginLoader, Snapshots};
use mcp_operator_registration::RegistrationContext;
use mcp_operator_runtime::{
    ClusterConfigMaps, Events, LEASE_NAME, NamespaceSecrets, Namespaces, StoredServers, Supervisor,
    TaskGroup,
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::RunArguments;
use crate::cluster::Cluster;
use crate::dashboards::DashboardsConfigMap;
use crate::health::{self, Readiness};
use crate::leader::Leader;
use crate::listener::listen;
use crate::metrics;
use crate::startup::retried;
use crate::telemetry::{self, LogFilter, Telemetry};
use crate::webhook::{
    CaInjection, CertificateExpiry, CertificateFiles, CertificateRenewal, ConfigurationOwner,
    Endpoint, ServingCert,
};

/// For so long after a signal, connections are still accepted: others have to hear first that this pod is not ready. Outside
/// of a cluster nobody listens for that.
const NOTICE: Duration = Duration::from_secs(5);
/// For so long after that, connections of HTTP/1.1 stay on which nothing is asked: an API server that uses one of them at the
/// moment at which it is closed would lose the request.
const IDLE_GRACE: Duration = Duration::from_secs(12);
/// What is going on then may take so long.
const LAST_WORK: Duration = Duration::from_secs(20);
/// And the last traces so long. All together less than Kubernetes waits (30 s).
const LAST_TRACES: Duration = Duration::from_secs(3);

/// How the process stops: first it is announced, the pod is no longer ready, and another replica may lead; after [`NOTICE`],
/// no connection is accepted any more.
#[derive(Default)]
struct Stop {
    announced: CancellationToken,
    shutdown: CancellationToken,
}

/// Runs until a signal asks to stop.
///
/// # Errors
/// When something that the operator needs is not there, or one of its tasks ends.
pub async fn run(arguments: RunArguments, metrics: Metrics, telemetry: Telemetry) -> Result<()> {
    let log_filter = telemetry.log_filter.clone();
    let result = operate(&arguments, metrics, log_filter).await;
    telemetry.stop(LAST_TRACES).await;
    result
}

async fn operate(arguments: &RunArguments, metrics: Metrics, log_filter: LogFilter) -> Result<()> {
    hide_memory()?;
    let mut supervisor = Supervisor::default();
    let tasks = supervisor.tasks();
    let stop = Stop::default();
    stop_on_signal(&stop, &tasks)?;

    let judges_by = tokio::select! {
        // A task that ends also lets the start fail, and is the reason.
        biased;
        exit = supervisor.first_exit() => bail!("{exit}"),
        () = stop.announced.cancelled() => return Ok(()),
        started = start(arguments, metrics, log_filter, &tasks, &stop) => started?,
    };
    tokio::select! {
        biased;
        // Who writes stops at once, so that the next leader can begin.
        () = stop.announced.cancelled() => {}
        exit = supervisor.first_exit() => bail!("{exit}"),
    }
    judges_by.drain();
    if is_behind_service(arguments) {
        sleep(NOTICE).await;
    }
    stop.shutdown.cancel();
    supervisor.drain(LAST_WORK).await;
    Ok(())
}

/// Whether there may be another replica, to which requests go instead.
fn is_behind_service(arguments: &RunArguments) -> bool {
    matches!(arguments.endpoint(), Endpoint::Service { .. })
}

/// The compiler of plugins runs under the same user: it must not read this process, which holds credentials, as a debugger
/// would.
fn hide_memory() -> Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .context("the memory of this process cannot be hidden")
}

/// Starts everything, in the order in which one thing needs another. Gives what requests are judged by.
async fn start(
    arguments: &RunArguments,
    metrics: Metrics,
    log_filter: LogFilter,
    tasks: &TaskGroup,
    stop: &Stop,
) -> Result<Snapshots> {
    let cluster = Cluster::connect(arguments).await?;
    let Cluster {
        client,
        writer,
        leadership,
        ..
    } = &cluster;
    start_telemetry(arguments, &cluster, &metrics, log_filter, tasks)?;
    let loader = PluginLoader {
        maps: Arc::new(ClusterConfigMaps::new(client.clone())),
        secrets: Arc::new(NamespaceSecrets::new(client.clone(), &arguments.namespace)),
        signature_keys: arguments.sources.signature_keys.clone(),
        host: arguments.plugins.host(metrics.plugin_calls())?,
        builtin: arguments.plugins.builtin_plugins.clone(),
        operator_namespace: Some(arguments.namespace.clone()),
    };
    let ready = start_health_endpoint(arguments.health_bind, tasks, stop)?;
    let catalog = PluginCatalog::watch(
        client,
        writer,
        leadership,
        tasks,
        loader.clone(),
        &arguments.namespace,
        arguments.sources.refresh(),
    );
    metrics::observe_plugins(&metrics, catalog.snapshots());
    let namespaces = Namespaces::watch(client, tasks);
    let state = AdmissionState {
        snapshots: catalog.snapshots(),
        namespaces: Arc::new(namespaces.clone()),
        servers: Arc::new(StoredServers::new(client.clone())),
        build: arguments.build.settings(),
        operator_namespace: Some(arguments.namespace.clone()),
        trace_id: telemetry::trace_id,
    };
    let events = Events::new(writer.clone());
    let (injection, ca_injected) = watch::channel(!arguments.enable_webhooks);
    if arguments.enable_webhooks {
        let serving =
            start_webhook(arguments, &cluster, state, &metrics, tasks, stop, injection).await?;
        let expiry = CertificateExpiry {
            client: client.clone(),
            serving,
            events: events.clone(),
            leadership: leadership.clone(),
            remedy: arguments.certificate_remedy(),
        };
        tasks.spawn("certificate expiry", expiry.watch());
    } else {
        warn!(
            "the admission webhook is not served: what breaks a rule is stored, and told in SpecValid"
        );
    }
    let hash_key =
        retried(async || Ok(obtain_hash_key(client, &arguments.namespace).await?)).await?;

    // Objects are made by the whole set of rules, which depend on namespaces, or not at all; and nobody is sent here
    // before there is somebody to answer.
    catalog.ready().await?;
    namespaces.ready().await?;
    info!(
        plugins = catalog.snapshots().current().plugins().len(),
        "ready"
    );
    ready.send_replace(Some(Readiness {
        judges_by: catalog.snapshots(),
        ca_injected,
    }));

    let controller = Controller::new(
        client,
        writer.clone(),
        arguments.controller(hash_key, metrics.reconciles("mcpserver")),
        catalog.snapshots(),
        namespaces,
        events.clone(),
        tasks,
    );
    metrics::observe_controller(&metrics, &controller, leadership.clone());
    let registration = RegistrationContext {
        client: client.clone(),
        writer: writer.clone(),
        leadership: leadership.clone(),
        settings: arguments.registration(),
        snapshots: catalog.snapshots(),
        servers: controller.servers().clone(),
        judged: controller.judged().clone(),
        events,
        loader,
        tasks: tasks.clone(),
        reconciles: metrics.reconciles("registration"),
        metrics: metrics.registration(),
    };
    let leader = Leader {
        controller,
        registration,
        election: cluster.election,
        leadership: cluster.leadership,
    };
    tasks.spawn_draining("leader", leader.run(stop.announced.clone()));
    Ok(catalog.snapshots())
}

/// The operator is ready once what it returns has been told what that depends on, and while all of it holds.
fn start_health_endpoint(
    bind: SocketAddr,
    tasks: &TaskGroup,
    stop: &Stop,
) -> Result<watch::Sender<Option<Readiness>>> {
    let listener = listen(bind)?;
    let (ready, readiness) = watch::channel(None::<Readiness>);
    let is_ready = move || readiness.borrow().as_ref().is_some_and(Readiness::is_ready);
    tasks.spawn(
        "health endpoint",
        health::serve(listener, is_ready, stop.announced.clone()),
    );
    Ok(ready)
}

/// What says how the operator is: logs, as its namespace wants them, the endpoint where it is read what is counted, unless that
/// is switched off, and the dashboards of that.
fn start_telemetry(
    arguments: &RunArguments,
    cluster: &Cluster,
    metrics: &Metrics,
    log_filter: LogFilter,
    tasks: &TaskGroup,
) -> Result<()> {
    let (client, leadership) = (cluster.client.clone(), cluster.leadership.clone());
    let follow = log_filter.follow(client, arguments.namespace.clone());
    tasks.spawn("watch of the log filter", follow);
    metrics.observe_leader(LEASE_NAME, move || leadership.is_held());
    let dashboards = DashboardsConfigMap {
        reader: cluster.client.clone(),
        writer: cluster.writer.clone(),
        leadership: cluster.leadership.clone(),
        namespace: arguments.namespace.clone(),
        is_wanted: arguments.grafana_dashboards,
    };
    tasks.spawn("dashboards", dashboards.run());
    if let Some(bind) = arguments.metrics_bind_address.0 {
        let listener = listen(bind)?;
        tasks.spawn(
            "metrics endpoint",
            metrics::serve(listener, metrics.clone()),
        );
    }
    Ok(())
}

async fn start_webhook(
    arguments: &RunArguments,
    cluster: &Cluster,
    state: AdmissionState,
    metrics: &Metrics,
    tasks: &TaskGroup,
    stop: &Stop,
    injected: watch::Sender<bool>,
) -> Result<ServingCert> {
    let serving =
        start_certificates(arguments, cluster, metrics.certificates(), tasks, injected).await?;
    let tls = match arguments.client_ca() {
        None => watch::channel(serving.tls(None)).1,
        Some(clients) => {
            let (reload, tls) = clients.serve(serving.clone())?;
            tasks.spawn("client CA", reload);
            tls
        }
    };
    let owner = ConfigurationOwner {
        configurations: cluster.webhook_configurations(),
        namespace: arguments.namespace.clone(),
    };
    tasks.spawn("owner of the webhook configurations", owner.run());
    let listener = listen(arguments.webhook_bind)?;
    let drain = Drain {
        announced: stop.announced.clone(),
        shutdown: stop.shutdown.clone(),
        idle_grace: if is_behind_service(arguments) {
            IDLE_GRACE
        } else {
            Duration::ZERO
        },
    };
    let router = router(state, metrics.admission());
    tasks.spawn_draining("webhook", serve(listener, tls, router, drain));
    Ok(serving)
}

/// What the webhook serves with, and what keeps it valid and trusted.
async fn start_certificates(
    arguments: &RunArguments,
    cluster: &Cluster,
    metrics: CertificateMetrics,
    tasks: &TaskGroup,
    injected: watch::Sender<bool>,
) -> Result<ServingCert> {
    if let Some(folder) = &arguments.webhook_cert_dir {
        // Whoever issues it tells the API server.
        injected.send_replace(true);
        let files = CertificateFiles::open(folder.clone(), metrics)?;
        let serving = files.serving();
        tasks.spawn("certificate files", files.run());
        return Ok(serving);
    }
    let lifetime = arguments.webhook_certificate_lifetime();
    let endpoint = arguments.endpoint();
    let obtain = async || {
        CertificateRenewal::obtain(&cluster.client, &endpoint, lifetime, metrics.clone()).await
    };
    let renewal = retried(obtain).await?;
    let serving = renewal.serving();
    let (trust, trusted) = watch::channel(None);
    let injection = CaInjection {
        configurations: cluster.webhook_configurations(),
        endpoint,
    };
    tasks.spawn(
        "CA injection",
        injection.run(renewal.authorities(), trust, injected),
    );
    tasks.spawn(
        "certificate renewal",
        renewal.run(cluster.leadership.clone(), trusted),
    );
    Ok(serving)
}

/// The first signal announces the stop; a second of the same kind is not waited for.
fn stop_on_signal(stop: &Stop, tasks: &TaskGroup) -> Result<()> {
    for (name, kind) in [
        ("handler of SIGTERM", SignalKind::terminate()),
        ("handler of SIGINT", SignalKind::interrupt()),
    ] {
        let mut signals = signal(kind).context("cannot handle signals")?;
        let announced = stop.announced.clone();
        tasks.spawn(name, async move {
            signals.recv().await;
            info!("stopping");
            announced.cancel();
            signals.recv().await;
            std::process::exit(1);
        });
    }
    Ok(())
}
