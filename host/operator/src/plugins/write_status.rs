//! Writes the statuses of MCPPlugins.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::{API_VERSION, PLUGIN_KIND, field_managers};
use mcp_operator_api::v1alpha1::{McpPlugin, McpPluginStatus};
use mcp_operator_core::retry::retry_after;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;
use tracing::warn;

use crate::error::Error;
use crate::server::jitter;

/// A plugin's name and the status that it should have.
pub(super) type Told = (String, McpPluginStatus);

/// Writes what is told, one after the other: an older status never comes after a newer one.
pub(super) async fn write_statuses(client: Client, mut told: UnboundedReceiver<Told>) {
    let mut waiting: BTreeMap<String, McpPluginStatus> = BTreeMap::new();
    let mut failures = 0;
    loop {
        waiting.extend(std::iter::from_fn(|| told.try_recv().ok()));
        let Some((name, status)) = waiting.pop_first() else {
            let Some((name, status)) = told.recv().await else {
                return;
            };
            waiting.insert(name, status);
            continue;
        };
        let Err(error) = write(&client, &name, &status).await else {
            failures = 0;
            continue;
        };
        failures += 1;
        let next = retry_after(error.class(), failures, jitter());
        warn!(plugin = name, retry_in = ?next, %error, "status of MCPPlugin not written");
        if let Some(pause) = next {
            waiting.entry(name).or_insert(status);
            sleep(pause).await;
        }
    }
}

async fn write(client: &Client, name: &str, status: &McpPluginStatus) -> Result<(), Error> {
    let api: Api<McpPlugin> = Api::all(client.clone());
    let body = json!({ "apiVersion": API_VERSION, "kind": PLUGIN_KIND, "metadata": { "name": name }, "status": status });
    let params = PatchParams::apply(field_managers::PLUGINS).force();
    match api.patch_status(name, &params, &Patch::Apply(&body)).await {
        Ok(_) => Ok(()),
        // Deleted in the meantime: there is nobody left to tell.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(Error::api(
            format!("write status of MCPPlugin {name}"),
            error,
        )),
    }
}
