//! A cluster in memory, and what registers in it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mcp_operator_api::names::conditions::AVAILABLE;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build;
use mcp_operator_core::conditions::find;
use mcp_operator_core::desired_entries::DesiredEntries;
use mcp_operator_core::registration_basis::RegistrationBasis;
use mcp_operator_core::rollout_budget::RolloutBudget;
use mcp_operator_metrics::{ReconcileMetrics, RegistrationMetrics};
use mcp_operator_runtime::{Events, JudgedServers, ServerStore, Supervisor};
use mcp_testkit::ApiServer;
use mcp_testkit::objects::mcp_server;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::active_registrar::RegistrarHandover;
use crate::beliefs::Beliefs;
use crate::gateway_events::GatewayEvents;
use crate::reconcile::Reconciler;
use crate::registrar_conditions::RegistrarConditions;
use crate::settings::RegistrationSettings;
use crate::test_records::FakeRecords;
use crate::test_registrars::FakeRegistrars;

/// The informer of the servers that there are.
pub(crate) async fn server_store(server: &ApiServer) -> ServerStore {
    let store = ServerStore::watch(&server.client(), &Supervisor::default().tasks(), |_| {});
    store.ready().await.unwrap();
    store
}

/// Passes with fake registrars in a cluster.
pub(crate) async fn reconciler(
    server: &ApiServer,
    registrars: FakeRegistrars,
) -> Reconciler<FakeRegistrars, Arc<FakeRecords>> {
    let (client, stop) = (server.client(), CancellationToken::new());
    Reconciler {
        handover: RegistrarHandover::new(registrars.records.clone(), stop.clone()),
        registrar_conditions: RegistrarConditions::new(client.clone(), Events::new(client.clone())),
        gateway_events: GatewayEvents::new(Events::new(client.clone())),
        settings: RegistrationSettings::default(),
        servers: server_store(server).await,
        judged: judged(server),
        beliefs: Beliefs::default(),
        last: DesiredEntries::default(),
        budget: RolloutBudget::new(
            RegistrationSettings::default().rollout_interval,
            SignedDuration::ZERO,
        ),
        restarts_gateway: false,
        registrars,
        client,
        stop,
        reconciles: ReconcileMetrics::default(),
        metrics: RegistrationMetrics::default(),
    }
}

/// The word of the controller about all servers that there are: admitted, and serving where their status says so.
fn judged(server: &ApiServer) -> JudgedServers {
    let judged = JudgedServers::default();
    for shown in server.objects_of("MCPServer") {
        admit(
            server,
            &judged,
            shown["metadata"]["name"].as_str().unwrap_or_default(),
        );
    }
    judged
}

/// The word of the controller about a server.
pub(crate) fn admit(server: &ApiServer, judged: &JudgedServers, name: &str) {
    let shown = server.get("MCPServer", "tools", name).unwrap();
    let shown: McpServer = serde_json::from_value(shown).unwrap();
    let settings = build::Settings::default();
    judged.record_basis(&shown, RegistrationBasis::of_admitted(&shown, &settings));
    let conditions = shown.status.as_ref().map(|status| &status.conditions);
    let available = conditions.and_then(|conditions| find(conditions, AVAILABLE));
    judged.record_available(&shown, available.cloned(), Timestamp::now());
}

/// A new server that the controller has admitted, and whose pods serve.
pub(crate) fn put_serving(server: &ApiServer, judged: &JudgedServers, name: &str) {
    server.put(serving(name));
    admit(server, judged, name);
}

/// An MCPServer whose pods serve.
pub(crate) fn serving(name: &str) -> Value {
    let available = json!({
        "type": "Available", "status": "True", "reason": "PodsServe", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
    });
    let mut server = serde_json::to_value(mcp_server("tools", name)).unwrap();
    server["status"] = json!({ "observedGeneration": 1, "conditions": [available] });
    server
}

/// Status, reason and message of a condition; nothing if it is not there.
pub(crate) fn condition(object: &Value, kind: &str) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    Some(format!(
        "{} {}: {}",
        text("status"),
        text("reason"),
        text("message")
    ))
}
