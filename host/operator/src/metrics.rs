//! `/metrics`: the endpoint, and what is counted when somebody asks.

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::get;
use kube::Resource;
use mcp_operator_api::names::conditions;
use mcp_operator_api::v1alpha1::{McpServerStatus, Mode, Phase};
use mcp_operator_controller::Controller;
use mcp_operator_metrics::{Fleet, Format, Metrics, PluginState};
use mcp_operator_policy::{Snapshot, Snapshots};
use mcp_operator_runtime::{GuardedServer, Leadership, ServerStore};
use tokio::net::TcpListener;
use tracing::error;

/// Digits of a digest, as `kubectl get mcpplugins` shows it.
const SHORT_DIGEST: usize = 12;
/// The phase of what cannot be read, and so has none.
const UNREADABLE: &str = "Unreadable";

/// Conditions whose servers are counted: those of the operator. Others in a status are somebody else's, in any number.
const CONDITIONS: [&str; 12] = [
    conditions::SPEC_VALID,
    conditions::DEPLOYMENT_READY,
    conditions::AVAILABLE,
    conditions::EXTERNAL_SECRET_SYNCED,
    conditions::SERVICE_MONITOR_CREATED,
    conditions::DISRUPTION_BUDGET_CREATED,
    conditions::AUTOSCALING_ACTIVE,
    conditions::RECONCILING,
    conditions::STALLED,
    conditions::LITELLM_REGISTERED,
    conditions::REGISTRAR,
    conditions::READY,
];

/// Serves for as long as the process runs.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics) {
    let scrape = move |headers: HeaderMap| {
        let accept = headers.get(header::ACCEPT);
        let format = Format::accepted(accept.and_then(|accept| accept.to_str().ok()));
        let text = metrics.encode(format);
        async move { ([(header::CONTENT_TYPE, format.content_type())], text).into_response() }
    };
    let router = Router::new().route("/metrics", get(scrape));
    if let Err(error) = axum::serve(listener, router).await {
        error!(%error, "the metrics endpoint failed");
    }
}

/// Has the plugins counted that are in force at a scrape.
pub(crate) fn observe_plugins(metrics: &Metrics, snapshots: Snapshots) {
    metrics.observe_plugins(move || plugins(&snapshots.current()));
}

/// Has the MCPServers counted that the informer shows at a scrape, and what waits for the controller.
pub(crate) fn observe_controller(
    metrics: &Metrics,
    controller: &Controller,
    leadership: Leadership,
) {
    let (servers, queue) = (controller.servers().clone(), controller.queue().clone());
    metrics.observe_fleet(move || fleet(&servers));
    metrics.observe_violations(controller.violating_servers());
    metrics.observe_queue("mcpserver", move || {
        // What others work on waits here for the next term, and nobody waits for it.
        let state = leadership.is_held().then(|| queue.state());
        state.unwrap_or_default()
    });
}

fn plugins(snapshot: &Snapshot) -> Vec<PluginState> {
    let loaded = snapshot.plugins().iter().map(|plugin| PluginState {
        name: plugin.name().to_owned(),
        mode: mode(plugin.mode()),
        digest: plugin.digest().chars().take(SHORT_DIGEST).collect(),
        loaded: true,
    });
    let missing = snapshot.unavailable().iter().map(|plugin| PluginState {
        name: plugin.name().to_owned(),
        mode: mode(plugin.mode()),
        digest: String::new(),
        loaded: false,
    });
    loaded.chain(missing).collect()
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Warn => "warn",
        Mode::Audit => "audit",
    }
}

fn fleet(servers: &ServerStore) -> Fleet {
    let phases = [
        Phase::Pending,
        Phase::Creating,
        Phase::Ready,
        Phase::Updating,
        Phase::Failed,
    ];
    let mut fleet = Fleet::new(phases.map(phase).into_iter().chain([UNREADABLE]));
    for server in servers.store().state() {
        count(&mut fleet, &server);
    }
    fleet
}

fn count(fleet: &mut Fleet, guarded: &GuardedServer) {
    let namespace = guarded.meta().namespace.as_deref().unwrap_or_default();
    let Ok(server) = &guarded.server else {
        return fleet.count(namespace, UNREADABLE, []);
    };
    let status = server.status.as_ref();
    let phase = phase(status.and_then(|it| it.phase).unwrap_or(Phase::Pending));
    fleet.count(namespace, phase, status.into_iter().flat_map(conditions_of));
}

fn conditions_of(status: &McpServerStatus) -> impl Iterator<Item = (&'static str, &'static str)> {
    CONDITIONS.into_iter().filter_map(|kind| {
        let mut all = status.conditions.iter();
        let found = all.find(|condition| condition.type_ == kind)?;
        Some((kind, condition_status(&found.status)))
    })
}

fn condition_status(status: &str) -> &'static str {
    match status {
        "True" => "True",
        "False" => "False",
        _ => "Unknown",
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "Pending",
        Phase::Creating => "Creating",
        Phase::Ready => "Ready",
        Phase::Updating => "Updating",
        Phase::Failed => "Failed",
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
