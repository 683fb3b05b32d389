//! `mcp-operator run`: the wiring, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use mcp_plugin_host::{Compiler, Host, HostConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::cli::{PluginArguments, RunArguments};
use crate::connections::LeftAlone;
use crate::events::Events;
use crate::namespaces::Namespaces;
use crate::parts::Parts;
use crate::plugins::{Catalogue, CatalogueOptions};
use crate::registry::Tools;
use crate::webhook::{self, Identity, Place};
use crate::{cluster, health, registry, server};

/// For so long after a signal, requests are still taken: others have to hear first that this pod is not ready. Outside of
/// a cluster nobody listens for that.
const NOTICE: Duration = Duration::from_secs(3);
/// What is going on then may take so long. Together less than Kubernetes waits (30 s).
const LAST_WORK: Duration = Duration::from_secs(20);

/// Runs until a signal asks to stop.
///
/// # Errors
/// When something that the operator needs is not there, or one of its parts ends.
pub async fn run(arguments: RunArguments) -> Result<()> {
    let stopping = on_signal()?;
    let shutdown = CancellationToken::new();
    let client =
        cluster::connect(Duration::from_secs(arguments.api_silence_seconds.into())).await?;
    let settings = arguments.settings();
    let host = plugin_host(&arguments.plugins)?;

    let options = CatalogueOptions {
        builtin: arguments.plugins.builtin_plugins.clone(),
    };
    let tools = Tools {
        client: client.clone(),
        settings: settings.clone(),
        host: host.clone(),
        builtin: options.builtin.clone(),
        namespace: arguments.namespace.clone(),
        left_alone: LeftAlone::default(),
    };
    let notice = match arguments.place() {
        Place::Service { .. } => NOTICE,
        Place::Address(_) => Duration::ZERO,
    };
    let mut parts = Parts::default();
    let (catalogue, snapshots, mut plugins_ready) = Catalogue::new(client.clone(), host, options);
    parts.forever("plugin catalogue", catalogue.run());
    let health = TcpListener::bind(arguments.health_bind)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.health_bind))?;
    let (ready, is_ready) = watch::channel(false);
    let health = health::serve(health, is_ready, stopping.clone());
    parts.forever("health endpoint", async {
        report("health endpoint", health.await);
    });

    let namespaces = Namespaces::watch(&client);
    let (listening, is_listening) = oneshot::channel();
    let admission = serve_webhook(
        arguments,
        client.clone(),
        snapshots.clone(),
        namespaces.clone(),
        listening,
        shutdown.clone(),
    );
    parts.until_shutdown("webhook", async {
        report("webhook", admission.await);
    });

    // Objects are made by the whole set of rules, which depend on namespaces, or not at all; and nobody is sent here before there is somebody to
    // answer.
    let all_there = async {
        let plugins = plugins_ready.wait_for(|ready| *ready).await.is_ok();
        namespaces.ready().await?;
        anyhow::Ok(plugins && is_listening.await.is_ok())
    };
    tokio::select! {
        there = all_there => if !there? {
            return Err(anyhow!("the {} ended", parts.first_to_end().await));
        },
        part = parts.first_to_end() => return Err(anyhow!("the {part} ended")),
        () = stopping.cancelled() => return Ok(()),
    }
    info!(plugins = snapshots.current().plugins().len(), "ready");
    ready.send_replace(true);

    let events = Events::new(client.clone());
    let (context, woken) = server::Context::watch(
        client,
        settings,
        snapshots.clone(),
        namespaces,
        events.clone(),
    );
    let servers = context.servers().clone();
    let controller = server::run(Arc::new(context), woken, shutdown.clone());
    parts.until_shutdown("controller", controller);
    let registry = registry::run(tools, snapshots, servers, events, shutdown.clone());
    parts.until_shutdown("registry", registry);

    // Each of them runs until the shutdown; one that ends before takes the others with it.
    tokio::select! {
        part = parts.first_to_end() => return Err(anyhow!("the {part} ended")),
        () = stopping.cancelled() => {}
    }
    sleep(notice).await;
    shutdown.cancel();
    parts.finish(LAST_WORK).await;
    Ok(())
}

fn report(part: &'static str, result: Result<()>) {
    if let Err(error) = result {
        error!(part, error = format!("{error:#}"), "failed");
    }
}

/// What runs plugins. This program compiles them, in a child process.
pub(crate) fn plugin_host(arguments: &PluginArguments) -> Result<Host> {
    let this = std::env::current_exe().context("this program has no path")?;
    let compiler = Compiler::new(this, ["compile-component"]);
    let mut config = HostConfig::new(&arguments.cache_dir, compiler);
    config.max_component_bytes = arguments.plugin_size_limit_mib.saturating_mul(1 << 20);
    config.memory_bytes = arguments.plugin_memory_mib.saturating_mul(1 << 20);
    config.compiler.memory_bytes = arguments.compiler_memory_mib.saturating_mul(1 << 20);
    Host::new(config).context("plugins cannot be run")
}

async fn serve_webhook(
    arguments: RunArguments,
    client: kube::Client,
    snapshots: crate::plugins::Snapshots,
    namespaces: Namespaces,
    listening: oneshot::Sender<()>,
    shutdown: CancellationToken,
) -> Result<()> {
    let place = arguments.place();
    let identity = Identity::obtain(&client, &place).await?;
    let bind = arguments.webhook_bind;
    let listener = TcpListener::bind(bind)
        .await
        .with_context(|| format!("cannot listen on {bind}"))?;
    // Whoever waits for it is gone only when the program ends.
    let _ = listening.send(());
    let state = webhook::State {
        snapshots,
        namespaces,
        build: arguments.settings().build,
    };
    let registration = webhook::keep_registered(client, place, identity.ca);
    let serving = webhook::serve(listener, identity.tls, webhook::router(state), shutdown);
    tokio::select! {
        () = registration => Ok(()),
        served = serving => served,
    }
}

/// Cancelled by the first signal that asks to stop; a second of the same kind is not waited for.
fn on_signal() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).context("cannot handle signals")?;
        let token = token.clone();
        tokio::spawn(async move {
            signals.recv().await;
            info!("stopping");
            token.cancel();
            signals.recv().await;
            std::process::exit(1);
        });
    }
    Ok(token)
}
