//! Carries out the steps of a plan.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::annotations::ROLLED_TO;
use mcp_operator_api::names::{field_managers, labels};
use mcp_operator_core::registration::{Action, ConfigKeyWrite, Roll};
use serde_json::json;

use crate::error::Error;

/// Carries out one step.
pub(super) async fn execute(client: &Client, action: &Action) -> Result<(), Error> {
    match action {
        Action::WriteConfigKey(write) => write_config_key(client, write).await,
        Action::Roll(roll) => replace_pods(client, roll).await,
        Action::Send(request) => Err(Error::NoConnection {
            name: request.connection.clone(),
        }),
    }
}

/// Server-side apply owns keys of a ConfigMap one by one: the others are not touched.
async fn write_config_key(client: &Client, write: &ConfigKeyWrite) -> Result<(), Error> {
    let key = &write.key;
    let data = match &write.content {
        Some(content) => json!({ &key.key: content }),
        None => json!({}),
    };
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": key.name, "labels": { labels::MANAGED_BY: "mcp-operator-registry" } },
        "data": data,
    });
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
    let params = PatchParams::apply(field_managers::REGISTRY).force();
    let written = api.patch(&key.name, &params, &Patch::Apply(&map)).await;
    written.map(drop).map_err(|error| {
        Error::api(
            format!("write ConfigMap {}/{}", key.namespace, key.name),
            error,
        )
    })
}

/// A merge patch, since an apply would create a Deployment that is not there.
async fn replace_pods(client: &Client, roll: &Roll) -> Result<(), Error> {
    let workload = &roll.workload;
    let patch = json!({ "spec": { "template": { "metadata": { "annotations": { ROLLED_TO: roll.value } } } } });
    let api: Api<Deployment> = Api::namespaced(client.clone(), &workload.namespace);
    let params = PatchParams {
        field_manager: Some(field_managers::REGISTRY.into()),
        ..PatchParams::default()
    };
    let patched = api
        .patch(&workload.name, &params, &Patch::Merge(&patch))
        .await;
    patched.map(drop).map_err(|error| {
        Error::api(
            format!("roll Deployment {}/{}", workload.namespace, workload.name),
            error,
        )
    })
}
