//! Carries out the steps of a plan.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use mcp_operator_api::names::annotations::ROLLED_TO;
use mcp_operator_api::names::field_managers;
use mcp_operator_connections::{ExchangeError, Purpose, Session};
use mcp_operator_core::plan_execution::{FailureCause, Failures, waves};
use mcp_operator_core::registration_plan::{
    Action, ConfigKeyWrite, HttpRequest, HttpResponse, Roll, Step,
};
use mcp_operator_core::retry::Classify;
use mcp_operator_metrics::{ReconcileMetrics, RegistrationMetrics, StepResult as Counted};
use mcp_operator_runtime::{Leadership, request};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, warn};

use crate::error::RegistrationError;
use crate::observe::{deployment_name, workload_state};
use crate::spans;

/// Requests that go on at the same time.
const CONCURRENCY: usize = 8;
/// Characters of an answer that are repeated in an error.
const EXCERPT: usize = 200;

/// What became of the steps of a plan. Those in no list had not begun when the process was told to stop.
#[derive(Debug, Default)]
pub(crate) struct ExecutionOutcome {
    pub(crate) done: Vec<Step>,
    pub(crate) failed: Vec<(Step, RegistrationError)>,
    /// Steps that were not tried since they build on one that failed, or would not get through; and why.
    pub(crate) skipped: Vec<(Step, FailureCause)>,
}

impl ExecutionOutcome {
    /// Has its steps counted, and what failed of them.
    pub(crate) fn count(&self, reconciles: &ReconcileMetrics, metrics: &RegistrationMetrics) {
        for step in &self.done {
            metrics.record_step(action(step), Counted::Done);
            if matches!(step.action, Action::Roll(_)) {
                metrics.record_rollout();
            }
        }
        for (step, error) in &self.failed {
            metrics.record_step(action(step), Counted::Failed);
            reconciles.record_error(error.category());
        }
        for (step, _) in &self.skipped {
            metrics.record_step(action(step), Counted::Skipped);
        }
    }
}

fn action(step: &Step) -> &'static str {
    match step.action {
        Action::WriteConfigKey(_) => "write-config-key",
        Action::Roll(_) => "roll",
        Action::Send(_) => "send",
    }
}

/// What became of one step.
enum StepResult {
    Done,
    Failed(RegistrationError),
    Skipped(FailureCause),
    /// The process was told to stop before, or another replica may be the leader.
    NotBegun,
}

/// Carries out steps: writes to the cluster, and sends requests over a session.
pub(crate) struct Executor<'a> {
    pub(crate) client: &'a Client,
    pub(crate) session: &'a Session,
    /// The client stops by itself when it is lost; what goes over the session does not.
    pub(crate) leadership: &'a Leadership,
    /// No further step begins after it. One that has begun is finished.
    pub(crate) stop: &'a CancellationToken,
}

impl Executor<'_> {
    /// Carries out what can be. What builds on a failed step is left to the next plan.
    pub(crate) async fn execute(&self, steps: &[Step]) -> ExecutionOutcome {
        let failures = &Mutex::default();
        let mut outcome = ExecutionOutcome::default();
        for wave in waves(steps) {
            let attempts: Vec<_> = wave
                .iter()
                .map(|step| self.attempt(step, failures))
                .collect();
            let mut results = stream::iter(attempts).buffer_unordered(CONCURRENCY);
            while let Some((step, result)) = results.next().await {
                let step = step.clone();
                match result {
                    StepResult::Done => outcome.done.push(step),
                    StepResult::Failed(error) => outcome.failed.push((step, error)),
                    StepResult::Skipped(cause) => outcome.skipped.push((step, cause)),
                    StepResult::NotBegun => {}
                }
            }
        }
        if !outcome.skipped.is_empty() {
            warn!(
                steps = outcome.skipped.len(),
                "steps of the registration wait for the next pass"
            );
        }
        outcome
    }

    /// Carries out one step, if it still makes sense when its turn comes: after a connection has failed, only what is on
    /// its way goes over it.
    async fn attempt<'a>(
        &self,
        step: &'a Step,
        failures: &Mutex<Failures>,
    ) -> (&'a Step, StepResult) {
        if self.stop.is_cancelled() || !self.leadership.is_held() {
            return (step, StepResult::NotBegun);
        }
        // Held for no longer than it takes to look.
        let failures = || failures.lock().unwrap_or_else(PoisonError::into_inner);
        let blocked_by = failures().blocked_by(step).cloned();
        if let Some(cause) = blocked_by {
            failures().skipped(step, cause.clone());
            return (step, StepResult::Skipped(cause));
        }
        let span = spans::action(&step.action);
        let performed = self.perform(&step.action).instrument(span.clone()).await;
        spans::end(
            &span,
            performed.as_ref().map_err(Classify::category).copied(),
        );
        let Err(error) = performed else {
            info!(step = %step.action, "registration");
            failures().succeeded(step);
            return (step, StepResult::Done);
        };
        warn!(step = %step.action, category = error.category(), %error, "a step of the registration failed");
        failures().failed(step, error.failure_scope(), error.failure_cause());
        (step, StepResult::Failed(error))
    }

    async fn perform(&self, action: &Action) -> Result<(), RegistrationError> {
        match action {
            Action::WriteConfigKey(write) => write_config_key(self.client, write).await,
            Action::Roll(roll) => roll_deployment(self.client, roll).await,
            Action::Send(request) => send(self.session, request).await,
        }
    }
}

/// A merge patch of one key: the others, and labels of whoever made the ConfigMap, are not touched. An apply would take away
/// the other keys that the operator has written, which it does not name.
async fn write_config_key(
    client: &Client,
    write: &ConfigKeyWrite,
) -> Result<(), RegistrationError> {
    let key = &write.key;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
    let action = || format!("write ConfigMap {}/{}", key.namespace, key.name);
    let patch = Patch::Merge(json!({ "data": { &key.key: &write.content } }));
    let patched = request(action, api.patch(&key.name, &patch_params(), &patch)).await;
    match patched {
        Err(error) if error.is_not_found() => {}
        other => return Ok(other.map(drop)?),
    }
    let Some(content) = &write.content else {
        return Ok(());
    };
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(key.name.clone()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(key.key.clone(), content.clone())])),
        ..ConfigMap::default()
    };
    let params = PostParams {
        field_manager: Some(field_managers::REGISTRY.into()),
        ..PostParams::default()
    };
    // One that somebody else makes meanwhile is patched by the next plan.
    request(action, api.create(&params, &map)).await?;
    Ok(())
}

fn patch_params() -> PatchParams {
    PatchParams {
        field_manager: Some(field_managers::REGISTRY.into()),
        ..PatchParams::default()
    }
}

/// A merge patch, since an apply would create a Deployment that is not there. Never while another rollout is going on,
/// whoever began it: the version makes sure that none has begun since it was looked at.
async fn roll_deployment(client: &Client, roll: &Roll) -> Result<(), RegistrationError> {
    let workload = &roll.workload;
    let name = deployment_name(workload);
    let action = || format!("roll {name}");
    let api: Api<Deployment> = Api::namespaced(client.clone(), &workload.namespace);
    let found = request(action, api.get(&workload.name)).await?;
    let state = workload_state(workload, &found, None)?;
    if state.rolled_to.as_deref() == Some(roll.value.as_str()) {
        return Ok(());
    }
    if !state.complete {
        return Err(RegistrationError::RolloutWaiting {
            workload: name,
            message: state.message,
        });
    }
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": found.metadata.resource_version },
        "spec": { "template": { "metadata": { "annotations": { ROLLED_TO: roll.value } } } },
    }));
    request(action, api.patch(&workload.name, &patch_params(), &patch)).await?;
    Ok(())
}

async fn send(session: &Session, request: &HttpRequest) -> Result<(), RegistrationError> {
    let answer = session.send(request, Purpose::Change).await?;
    match answer.status {
        200..300 => Ok(()),
        // What should not be there is not there.
        404 | 410 if request.method == "DELETE" => Ok(()),
        status => Err(ExchangeError::Status {
            connection: request.connection.clone(),
            request: format!("{} {}", request.method, request.path),
            status,
            excerpt: excerpt(&answer),
        }
        .into()),
    }
}

/// The beginning of an answer. Services tell about the credential where they refuse it, so that is not repeated.
fn excerpt(answer: &HttpResponse) -> String {
    match answer.status {
        401 | 403 => String::new(),
        _ => answer.body.chars().take(EXCERPT).collect(),
    }
}

#[cfg(test)]
#[path = "execute_tests.rs"]
mod tests;
