//! Reads what a registrar asks for. What cannot be read is an observation too.

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Api, Client};
use mcp_operator_api::names::annotations::ROLLED_TO;
use mcp_operator_connections::{Purpose, Session};
use mcp_operator_core::pods::{Pod, PodIssue};
use mcp_operator_core::registration_plan::{
    ConfigKey, Observation, Observed, Read, RolloutObstacle, Source, Workload, WorkloadState,
};
use mcp_operator_core::retry::Classify;
use mcp_operator_core::rollout::{self, Rollout};
use mcp_operator_runtime::request;
use tracing::{Instrument, Span, debug};

use crate::error::RegistrationError;
use crate::spans;

/// A gateway has few pods, and one that says why is enough.
const PODS_LOOKED_AT: u32 = 50;

/// Reads everything, at the same time.
pub(crate) async fn observe(
    client: &Client,
    session: &Session,
    reads: &[Read],
) -> Vec<Observation> {
    let reads = reads.iter().map(|read| {
        let reading = observe_one(client, session, read);
        reading.instrument(spans::read(&read.source))
    });
    join_all(reads).await
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
    let outcome = state.as_ref().map(drop).map_err(Classify::category);
    spans::end(&Span::current(), outcome);
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
    let Some(deployment) = found else {
        return Ok(None);
    };
    let mut state = workload_state(named, &deployment, None)?;
    if state.obstacle.is_some()
        && let Some(issue) = pod_issue(client, named, &deployment).await
    {
        state = workload_state(named, &deployment, Some(&issue))?;
    }
    Ok(Some(state))
}

/// What keeps a pod of a Deployment from serving. It is asked for only where a rollout does not come to its end, and whoever
/// may not read pods there is told what is known without it.
async fn pod_issue(client: &Client, named: &Workload, deployment: &Deployment) -> Option<PodIssue> {
    let selector = deployment.spec.as_ref()?.selector.match_labels.as_ref()?;
    let labels: Vec<String> = selector
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let params = ListParams::default()
        .labels(&labels.join(","))
        .limit(PODS_LOOKED_AT);
    let api: Api<Pod> = Api::namespaced(client.clone(), &named.namespace);
    let action = || format!("list pods of {}", deployment_name(named));
    let pods = request(action, api.list(&params)).await;
    let pods = pods.inspect_err(|error| debug!(%error, "why pods do not serve is not known"));
    pods.ok()?.items.iter().filter_map(PodIssue::of).min()
}

/// Kind, namespace and name, for people.
pub(crate) fn deployment_name(named: &Workload) -> String {
    format!("Deployment {}/{}", named.namespace, named.name)
}

/// How far the rollout of a Deployment is, and what it is for.
pub(crate) fn workload_state(
    named: &Workload,
    deployment: &Deployment,
    pod: Option<&PodIssue>,
) -> Result<WorkloadState, RegistrationError> {
    let object = serde_json::to_value(deployment).map_err(|source| {
        RegistrationError::UnreadableWorkload {
            workload: deployment_name(named),
            source,
        }
    })?;
    let rollout = Rollout::of(&object);
    // One pod without a place must not keep everybody from being registered.
    let complete = rollout::is_over(&object);
    let obstacle = rollout::obstacle(&object, pod).filter(|_| !complete);
    let said = obstacle.as_ref().map(|obstacle| format!(", {obstacle}"));
    let annotations = &object["spec"]["template"]["metadata"]["annotations"];
    Ok(WorkloadState {
        rolled_to: annotations[ROLLED_TO].as_str().map(str::to_owned),
        complete,
        message: rollout.message() + &said.unwrap_or_default(),
        obstacle: obstacle.map(|message| RolloutObstacle {
            workload: named.clone(),
            message,
        }),
    })
}

#[cfg(test)]
mod tests {
    use mcp_testkit::ApiServer;
    use serde_json::json;

    use super::*;

    /// A Deployment of which one pod finds no place while the other is still of the template before.
    fn stuck() -> ApiServer {
        let server = ApiServer::new();
        server.put(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "litellm-proxy", "namespace": "litellm", "generation": 2 },
            "spec": {
                "replicas": 2, "selector": { "matchLabels": { "app": "litellm" } },
                "template": { "metadata": { "labels": { "app": "litellm" } }, "spec": { "containers": [] } },
            },
            "status": {
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2, "readyReplicas": 2,
                "conditions": [{
                    "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                    "message": "timed out progressing", "lastTransitionTime": "2026-01-01T00:00:00Z",
                    "lastUpdateTime": "2026-01-01T00:00:00Z",
                }],
            },
        }));
        for (name, app) in [("litellm-proxy-1", "litellm"), ("another", "another")] {
            server.put(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": { "name": name, "namespace": "litellm", "labels": { "app": app } },
                "spec": { "containers": [] },
                "status": { "conditions": [{
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/2 nodes are available",
                }] },
            }));
        }
        server
    }

    #[tokio::test]
    async fn a_rollout_that_does_not_end_says_which_pod_and_why() {
        let server = stuck();
        let named = Workload {
            kind: "Deployment".into(),
            namespace: "litellm".into(),
            name: "litellm-proxy".into(),
        };
        let state = workload(&server.client(), &named).await.unwrap().unwrap();
        assert!(!state.complete);
        let obstacle = state.obstacle.unwrap();
        assert_eq!(obstacle.workload, named);
        let expected = "since 2026-01-01T00:00:00Z: timed out progressing; pod litellm-proxy-1: 0/2 nodes are available (Unschedulable)";
        assert!(
            obstacle.message.starts_with(expected),
            "{}",
            obstacle.message
        );
        assert!(state.message.contains(expected), "{}", state.message);
    }
}
