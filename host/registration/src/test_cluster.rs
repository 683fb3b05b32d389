//! A cluster in memory, and what registers in it.

use std::sync::Arc;

use mcp_operator_core::desired_entries::DesiredEntries;
use mcp_operator_runtime::{Events, ServerStore, Supervisor};
use mcp_testkit::ApiServer;
use mcp_testkit::objects::mcp_server;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::active_registrar::RegistrarHandover;
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
        settings: RegistrationSettings::default(),
        servers: server_store(server).await,
        last: DesiredEntries::default(),
        registrars,
        client,
        stop,
    }
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
