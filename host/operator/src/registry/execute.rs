//! Carries out the steps of a plan.

use std::sync::{Mutex, PoisonError};

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::annotations::ROLLED_TO;
use mcp_operator_api::names::field_managers;
use mcp_operator_core::registration::{
    Action, ConfigKeyWrite, HttpRequest, HttpResponse, Roll, Step,
};
use mcp_operator_core::steps::{Cause, Failures, waves};
use serde_json::json;
use tracing::{info, warn};

use super::read::state_of;
use crate::connections::{ExchangeError, Purpose, Session};
use crate::error::Error;

/// Requests that go on at the same time.
const CONCURRENCY: usize = 8;
/// Characters of an answer that are repeated in an error.
const EXCERPT: usize = 200;

/// What became of the steps of a plan.
#[derive(Default)]
pub(super) struct Outcome {
    /// Those that were carried out.
    pub(super) done: Vec<Step>,
    /// Those that failed, and why.
    pub(super) failed: Vec<(Step, Error)>,
    /// Those that were not tried since they build on one that failed, or would not get through; and why.
    pub(super) withheld: Vec<(Step, Cause)>,
}

/// What became of one step.
enum Fate {
    Done,
    Failed(Error),
    Withheld(Cause),
}

/// Carries out what can be. What builds on a failed step is left to the next plan.
pub(super) async fn carry_out(client: &Client, session: &Session<'_>, steps: &[Step]) -> Outcome {
    let failures = &Mutex::default();
    let mut outcome = Outcome::default();
    for wave in waves(steps) {
        let attempts: Vec<_> = wave
            .iter()
            .map(|step| attempt(client, session, step, failures))
            .collect();
        let mut fates = stream::iter(attempts).buffer_unordered(CONCURRENCY);
        while let Some((step, fate)) = fates.next().await {
            let step = step.clone();
            match fate {
                Fate::Done => outcome.done.push(step),
                Fate::Failed(error) => outcome.failed.push((step, error)),
                Fate::Withheld(cause) => outcome.withheld.push((step, cause)),
            }
        }
    }
    if !outcome.withheld.is_empty() {
        warn!(
            steps = outcome.withheld.len(),
            "steps of the registration wait for the next pass"
        );
    }
    outcome
}

/// Carries out one step, if it still makes sense when its turn comes: after a connection has failed, only what is on its
/// way goes over it.
async fn attempt<'a>(
    client: &Client,
    session: &Session<'_>,
    step: &'a Step,
    failures: &Mutex<Failures>,
) -> (&'a Step, Fate) {
    // Held for no longer than it takes to look.
    let failures = || failures.lock().unwrap_or_else(PoisonError::into_inner);
    let spoiled = failures().spoil(step).cloned();
    if let Some(cause) = spoiled {
        failures().withheld(step, cause.clone());
        return (step, Fate::Withheld(cause));
    }
    let Err(error) = execute(client, session, &step.action).await else {
        info!(step = %step.action, "registration");
        failures().succeeded(step);
        return (step, Fate::Done);
    };
    warn!(step = %step.action, category = error.category(), %error, "a step of the registration failed");
    failures().failed(step, error.reach(), error.cause());
    (step, Fate::Failed(error))
}

async fn execute(client: &Client, session: &Session<'_>, action: &Action) -> Result<(), Error> {
    match action {
        Action::WriteConfigKey(write) => write_config_key(client, write).await,
        Action::Roll(roll) => replace_pods(client, roll).await,
        Action::Send(request) => send(session, request).await,
    }
}

/// Server-side apply owns keys of a ConfigMap one by one: the others, and labels of whoever made it, are not touched.
async fn write_config_key(client: &Client, write: &ConfigKeyWrite) -> Result<(), Error> {
    let key = &write.key;
    let data = match &write.content {
        Some(content) => json!({ &key.key: content }),
        None => json!({}),
    };
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": key.name }, "data": data });
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

/// A merge patch, since an apply would create a Deployment that is not there. Never while another rollout is going on,
/// whoever began it: the version makes sure that none has begun since it was looked at.
async fn replace_pods(client: &Client, roll: &Roll) -> Result<(), Error> {
    let workload = &roll.workload;
    let name = format!("Deployment {}/{}", workload.namespace, workload.name);
    let failed = |error| Error::api(format!("roll {name}"), error);
    let api: Api<Deployment> = Api::namespaced(client.clone(), &workload.namespace);
    let found = api.get(&workload.name).await.map_err(failed)?;
    let version = found.metadata.resource_version.clone();
    let state = state_of(&found);
    if state.rolled_to.as_deref() == Some(roll.value.as_str()) {
        return Ok(());
    }
    if !state.complete {
        return Err(Error::RolloutGoingOn {
            workload: name,
            message: state.message,
        });
    }
    let patch = json!({
        "metadata": { "resourceVersion": version },
        "spec": { "template": { "metadata": { "annotations": { ROLLED_TO: roll.value } } } },
    });
    let params = PatchParams {
        field_manager: Some(field_managers::REGISTRY.into()),
        ..PatchParams::default()
    };
    let patched = api
        .patch(&workload.name, &params, &Patch::Merge(&patch))
        .await;
    patched.map(drop).map_err(failed)
}

async fn send(session: &Session<'_>, request: &HttpRequest) -> Result<(), Error> {
    let answer = session.send(request, Purpose::Change).await?;
    match answer.status {
        200..300 => Ok(()),
        // What should not be there is not there.
        404 | 410 if request.method == "DELETE" => Ok(()),
        status => Err(ExchangeError::Status {
            connection: request.connection.clone(),
            request: format!("{} {}", request.method, request.path),
            status,
            said: said(&answer),
        }
        .into()),
    }
}

/// The beginning of an answer. Services tell about the credential where they refuse it, so that is not repeated.
fn said(answer: &HttpResponse) -> String {
    match answer.status {
        401 | 403 => String::new(),
        _ => answer.body.chars().take(EXCERPT).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use axum::http::{Method, Request, Response};
    use futures::future::ready;
    use kube::client::Body;
    use mcp_operator_core::registration::Workload;
    use serde_json::Value;

    use super::*;

    fn answer(status: u16) -> HttpResponse {
        HttpResponse {
            status,
            headers: Vec::new(),
            body: "x".repeat(1000),
        }
    }

    /// An API server with one Deployment, and what was asked of it.
    fn cluster(deployment: Value) -> (Client, Arc<Mutex<Vec<Method>>>) {
        let asked = Arc::<Mutex<Vec<Method>>>::default();
        let seen = asked.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            seen.lock().unwrap().push(request.method().clone());
            let answer = Response::new(Body::from(deployment.to_string().into_bytes()));
            ready(Ok::<_, Infallible>(answer))
        });
        (Client::new(service, "litellm"), asked)
    }

    fn deployment(updated: u32, rolled_to: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "proxy", "namespace": "litellm", "generation": 2, "resourceVersion": "7" },
            "spec": {
                "replicas": 2, "selector": {},
                "template": { "metadata": { "annotations": { ROLLED_TO: rolled_to } } },
            },
            "status": { "observedGeneration": 2, "replicas": 2, "updatedReplicas": updated, "availableReplicas": 2 },
        })
    }

    /// Also by a registrar that does not look.
    #[tokio::test]
    async fn there_is_never_a_second_rollout_while_one_is_going_on() {
        let roll = Roll {
            workload: Workload {
                kind: "Deployment".into(),
                namespace: "litellm".into(),
                name: "proxy".into(),
            },
            value: "new".into(),
        };
        let (client, asked) = cluster(deployment(1, "old"));
        let refused = replace_pods(&client, &roll).await.unwrap_err();
        assert_eq!(refused.category(), "RolloutWaiting");
        assert_eq!(*asked.lock().unwrap(), [Method::GET]);

        let (client, asked) = cluster(deployment(1, "new"));
        replace_pods(&client, &roll).await.unwrap();
        assert_eq!(*asked.lock().unwrap(), [Method::GET], "this is it");

        let (client, asked) = cluster(deployment(2, "old"));
        replace_pods(&client, &roll).await.unwrap();
        assert_eq!(*asked.lock().unwrap(), [Method::GET, Method::PATCH]);
    }

    #[test]
    fn an_answer_about_the_key_is_not_repeated() {
        assert_eq!(said(&answer(500)).len(), EXCERPT);
        assert_eq!(said(&answer(401)) + &said(&answer(403)), "");
    }
}
