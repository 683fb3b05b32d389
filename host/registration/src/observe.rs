//! Reads what a registrar asks for. What cannot be read is an observation too.

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use mcp_operator_api::names::annotations::ROLLED_TO;
use mcp_operator_connections::{Purpose, Session};
use mcp_operator_core::registration_plan::{
    ConfigKey, Observation, Observed, Read, Source, Workload, WorkloadState,
};
use mcp_operator_core::rollout::{self, Rollout};
use mcp_operator_runtime::request;

use crate::error::RegistrationError;

/// Reads everything, at the same time.
pub(crate) async fn observe(
    client: &Client,
    session: &Session,
    reads: &[Read],
) -> Vec<Observation> {
    join_all(reads.iter().map(|read| observe_one(client, session, read))).await
}

async fn observe_one(client: &Client, session: &Session, read: &Read) -> Observation {
    let state = match &read.source {
        Source::ConfigKey(key) => config_key(client, key).await.map(Observed::ConfigKey),
        Source::Workload(named) => workload(client, named).await.map(Observed::Workload),
        Source::Http(request) => {
            let answer = session.send(request, Purpose::Read).await;
            answer.map(Observed::Http).map_err(RegistrationError::from)
        }
    };
    Observation {
        id: read.id.clone(),
        state: state.unwrap_or_else(|error| Observed::Unavailable(error.to_string())),
    }
}

async fn config_key(client: &Client, key: &ConfigKey) -> Result<Option<String>, RegistrationError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
    let action = || format!("get ConfigMap {}/{}", key.namespace, key.name);
    let found = request(action, api.get_opt(&key.name)).await?;
    Ok(found.and_then(|map| map.data?.remove(&key.key)))
}

async fn workload(
    client: &Client,
    named: &Workload,
) -> Result<Option<WorkloadState>, RegistrationError> {
    if named.kind != "Deployment" {
        return Err(RegistrationError::UnsupportedWorkload {
            kind: named.kind.clone(),
        });
    }
    let api: Api<Deployment> = Api::namespaced(client.clone(), &named.namespace);
    let action = || format!("get {}", deployment_name(named));
    let found = request(action, api.get_opt(&named.name)).await?;
    found
        .map(|deployment| workload_state(named, &deployment))
        .transpose()
}

/// Kind, namespace and name, for people.
pub(crate) fn deployment_name(named: &Workload) -> String {
    format!("Deployment {}/{}", named.namespace, named.name)
}

/// How far the rollout of a Deployment is, and what it is for.
pub(crate) fn workload_state(
    named: &Workload,
    deployment: &Deployment,
) -> Result<WorkloadState, RegistrationError> {
    let object = serde_json::to_value(deployment).map_err(|source| {
        RegistrationError::UnreadableWorkload {
            workload: deployment_name(named),
            source,
        }
    })?;
    let rollout = Rollout::of(&object);
    let obstacle = rollout::obstacle(&object).map(|obstacle| format!(", {obstacle}"));
    let annotations = &object["spec"]["template"]["metadata"]["annotations"];
    Ok(WorkloadState {
        rolled_to: annotations[ROLLED_TO].as_str().map(str::to_owned),
        // One pod without a place must not keep everybody from being registered.
        complete: rollout::is_over(&object),
        message: rollout.message() + &obstacle.unwrap_or_default(),
    })
}
