//! Reads what a registrar asks for. What cannot be read is an observation too.

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use mcp_operator_api::names::annotations::ROLLED_TO;
use mcp_operator_core::registration::{
    ConfigKey, Observation, Observed, Read, Source, Workload, WorkloadState,
};
use mcp_operator_core::rollout::Rollout;

use crate::connections::{Purpose, Session};

/// Reads everything, at the same time.
pub(super) async fn read(
    client: &Client,
    session: &Session<'_>,
    reads: &[Read],
) -> Vec<Observation> {
    join_all(reads.iter().map(|read| read_one(client, session, read))).await
}

async fn read_one(client: &Client, session: &Session<'_>, read: &Read) -> Observation {
    let state = match &read.source {
        Source::ConfigKey(key) => config_key(client, key).await.map(Observed::ConfigKey),
        Source::Workload(named) => workload(client, named).await.map(Observed::Workload),
        Source::Http(request) => {
            let answer = session.send(request, Purpose::Read).await;
            answer
                .map(Observed::Http)
                .map_err(|error| error.to_string())
        }
    };
    Observation {
        id: read.id.clone(),
        state: state.unwrap_or_else(Observed::Unavailable),
    }
}

async fn config_key(client: &Client, key: &ConfigKey) -> Result<Option<String>, String> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
    let found = api
        .get_opt(&key.name)
        .await
        .map_err(|error| format!("get ConfigMap {}/{}: {error}", key.namespace, key.name))?;
    Ok(found
        .and_then(|map| map.data)
        .and_then(|mut data| data.remove(&key.key)))
}

async fn workload(client: &Client, named: &Workload) -> Result<Option<WorkloadState>, String> {
    if named.kind != "Deployment" {
        return Err(format!(
            "workloads of kind {} are not supported: use a Deployment",
            named.kind
        ));
    }
    let api: Api<Deployment> = Api::namespaced(client.clone(), &named.namespace);
    let found = api
        .get_opt(&named.name)
        .await
        .map_err(|error| format!("get Deployment {}/{}: {error}", named.namespace, named.name))?;
    Ok(found.as_ref().map(state_of))
}

/// How a Deployment stands.
pub(super) fn state_of(deployment: &Deployment) -> WorkloadState {
    // What came as JSON can be written as JSON.
    let object = serde_json::to_value(deployment).unwrap_or_default();
    let rollout = Rollout::of(&object);
    let annotations = &object["spec"]["template"]["metadata"]["annotations"];
    WorkloadState {
        rolled_to: annotations[ROLLED_TO].as_str().map(str::to_owned),
        complete: rollout.complete(),
        message: rollout.message(),
    }
}
