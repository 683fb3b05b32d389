//! Carries out the steps of a plan.

use futures::future::ready;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use mcp_operator_api::names::annotations::ROLLED_TO;
use mcp_operator_api::names::field_managers;
use mcp_operator_core::registration::{
    Action, ConfigKeyWrite, HttpRequest, HttpResponse, Roll, Step,
};
use mcp_operator_core::retry::retry_after_header;
use mcp_operator_core::steps::{Failures, waves};
use serde_json::json;
use tracing::{info, warn};

use crate::connections::{ExchangeError, Purpose, Session};
use crate::error::Error;

/// Requests that go on at the same time.
const CONCURRENCY: usize = 8;
/// Characters of an answer that are repeated in an error.
const EXCERPT: usize = 200;

/// A step that was not carried out, and why: it failed, or it builds on one that did.
pub(super) struct FailedStep {
    pub(super) step: Step,
    pub(super) error: Error,
}

/// Carries out what can be. What builds on a failed step is left to the next plan.
pub(super) async fn carry_out(
    client: &Client,
    session: &Session<'_>,
    steps: &[Step],
) -> Vec<FailedStep> {
    let mut failures = Failures::default();
    let mut failed = Vec::new();
    for wave in waves(steps) {
        let mut attempts = Vec::with_capacity(wave.len());
        for step in wave {
            if !failures.spoil(step) {
                attempts.push(attempt(client, session, step));
            }
        }
        let results = stream::iter(attempts).buffer_unordered(CONCURRENCY);
        let failed_here: Vec<FailedStep> = results.filter_map(ready).collect().await;
        for FailedStep { step, error } in &failed_here {
            failures.add(step, error.is_of_connection());
        }
        failed.extend(failed_here);
    }
    failed
}

/// Carries out one step, and returns it if it failed.
async fn attempt(client: &Client, session: &Session<'_>, step: &Step) -> Option<FailedStep> {
    let Err(error) = execute(client, session, &step.action).await else {
        info!(step = %step.action, "registration");
        return None;
    };
    warn!(step = %step.action, category = error.category(), %error, "a step of the registration failed");
    Some(FailedStep {
        step: step.clone(),
        error,
    })
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
            retry_after: retry_after(&answer),
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

/// When a service that cannot answer now wants to be asked again.
pub(super) fn retry_after(answer: &HttpResponse) -> Option<std::time::Duration> {
    let header = answer
        .headers
        .iter()
        .find(|(name, _)| name == "retry-after");
    header
        .filter(|_| matches!(answer.status, 429 | 503))
        .and_then(|(_, value)| retry_after_header(value, Timestamp::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> HttpResponse {
        HttpResponse {
            status,
            headers: vec![("retry-after".into(), "7".into())],
            body: "x".repeat(1000),
        }
    }

    #[test]
    fn only_who_is_overloaded_is_left_alone() {
        let wait = |status| retry_after(&answer(status)).map(|wait| wait.as_secs());
        assert_eq!((wait(429), wait(503)), (Some(7), Some(7)));
        assert_eq!((wait(200), wait(500)), (None, None));
    }

    #[test]
    fn an_answer_about_the_key_is_not_repeated() {
        assert_eq!(said(&answer(500)).len(), EXCERPT);
        assert_eq!(said(&answer(401)) + &said(&answer(403)), "");
    }
}
