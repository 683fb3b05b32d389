//! `mcp-operator run`: the wiring, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use kube::runtime::events::{Recorder, Reporter};
use mcp_plugin_host::{Compiler, Host, HostConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::cli::{PluginArguments, RunArguments};
use crate::namespaces::Namespaces;
use crate::plugins::{Catalogue, CatalogueOptions};
use crate::registry::Tools;
use crate::webhook::{self, Identity};
use crate::{cluster, health, registry, server};

/// Runs until a signal asks to stop.
///
/// # Errors
/// When something that the operator needs is not there, or one of its parts ends.
pub async fn run(arguments: RunArguments) -> Result<()> {
    let shutdown = on_signal()?;
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
    };
    let (catalogue, snapshots, mut plugins_ready) = Catalogue::new(client.clone(), host, options);
    let catalogue = tokio::spawn(catalogue.run());
    let health = TcpListener::bind(arguments.health_bind)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.health_bind))?;
    let health = tokio::spawn(health::serve(
        health,
        plugins_ready.clone(),
        shutdown.clone(),
    ));

    let namespaces = Namespaces::watch(&client);
    let admission = tokio::spawn(serve_webhook(
        arguments,
        client.clone(),
        snapshots.clone(),
        namespaces.clone(),
        shutdown.clone(),
    ));

    // Objects are made by the whole set of rules, or not at all.
    tokio::select! {
        ready = plugins_ready.wait_for(|ready| *ready) => drop(ready.context("the plugin catalogue ended")?),
        () = shutdown.cancelled() => return Ok(()),
    }
    namespaces.ready().await;
    info!(plugins = snapshots.current().plugins().len(), "ready");

    let recorder = Recorder::new(client.clone(), Reporter::from("mcp-operator"));
    let (context, woken) = server::Context::watch(
        client,
        settings,
        snapshots.clone(),
        namespaces,
        recorder.clone(),
    );
    let servers = context.servers().clone();
    let controller = tokio::spawn(server::run(Arc::new(context), woken, shutdown.clone()));
    let registry = tokio::spawn(registry::run(
        tools,
        snapshots,
        servers,
        recorder,
        shutdown.clone(),
    ));

    // Each of them runs until the shutdown; one that ends before takes the others with it.
    let ended = tokio::select! {
        ended = catalogue => ended.map(|()| "plugin catalogue"),
        ended = controller => ended.map(|()| "controller"),
        ended = registry => ended.map(|()| "registry"),
        ended = health => ended?.map(|()| Ok("health endpoint"))?,
        ended = admission => ended?.map(|()| Ok("webhook"))?,
    };
    let part = ended.context("a part of the operator panicked")?;
    if shutdown.is_cancelled() {
        Ok(())
    } else {
        Err(anyhow!("the {part} ended"))
    }
}

/// What runs plugins. This program compiles them, in a child process.
pub(crate) fn plugin_host(arguments: &PluginArguments) -> Result<Host> {
    let this = std::env::current_exe().context("this program has no path")?;
    let compiler = Compiler::new(this, ["compile-component"]);
    let mut config = HostConfig::new(&arguments.cache_dir, compiler);
    config.max_component_bytes = arguments.plugin_size_limit_mib.saturating_mul(1 << 20);
    Host::new(config).context("plugins cannot be run")
}

async fn serve_webhook(
    arguments: RunArguments,
    client: kube::Client,
    snapshots: crate::plugins::Snapshots,
    namespaces: Namespaces,
    shutdown: CancellationToken,
) -> Result<()> {
    let place = arguments.place();
    let identity = Identity::obtain(&client, &place).await?;
    let bind = arguments.webhook_bind;
    let listener = TcpListener::bind(bind)
        .await
        .with_context(|| format!("cannot listen on {bind}"))?;
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

/// Cancelled by the first signal that asks to stop.
fn on_signal() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).context("cannot handle signals")?;
        let token = token.clone();
        tokio::spawn(async move {
            signals.recv().await;
            info!("stopping");
            token.cancel();
        });
    }
    Ok(token)
}
