//! When a server is reconciled: this wraps the steps of [`reconcile`] in everything that is about time.

use std::sync::Arc;
use std::time::Instant;

use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_metrics::ReconcileResult;
use mcp_operator_runtime::{GuardedServer, WholeServer, jitter};
use tracing::{Instrument, Span, error, warn};

use crate::context::Context;
use crate::error::ReconcileError;
use crate::reconcile::{Progress, Reconciled, reconcile, report_undecided};
use crate::requeue::{self, Attempt, RETRY_WHEN_FULL, ROLLOUT_POLL, Requeue, RetryLimiter};
use crate::spans;

/// Runs a reconcile now, or puts it off, and says when the next one comes. `None`: only after a change.
pub(crate) async fn run(
    guarded: Arc<GuardedServer>,
    context: &Context,
    retries: &RetryLimiter,
) -> Option<Requeue> {
    let key = ServerKey::of(&*guarded);
    let server = match &guarded.server {
        Ok(server) => &*context.servers.latest(server),
        Err(invalid) => {
            error!(server = %key, error = %invalid.error, "MCPServer cannot be read, waiting for a change");
            return None;
        }
    };
    if server.metadata.deletion_timestamp.is_some() {
        // The garbage collector does the rest by owner references, also while the operator is down.
        context.forget(&key);
        return None;
    }
    let is_retry = context.backoff.has_failed(&key);
    let permit = is_retry.then(|| retries.try_acquire());
    if matches!(permit, Some(None)) {
        return Some(Requeue::retry(RETRY_WHEN_FULL.mul_f64(0.5 + jitter())));
    }
    let span = spans::reconcile(&key, server, is_retry);
    let attempting = attempt(&guarded, server, context, &key, is_retry);
    attempting.instrument(span).await
}

/// Runs a reconcile, and says when the next one comes.
async fn attempt(
    guarded: &GuardedServer,
    server: &McpServer,
    context: &Context,
    key: &ServerKey,
    is_retry: bool,
) -> Option<Requeue> {
    let began = Instant::now();
    let attempt = Attempt::begin(is_retry);
    let reconciled = match get_whole(guarded, context).await {
        Ok(None) => reconcile(server, context, &attempt).await,
        Ok(Some(Some(whole))) => reconcile(&whole.server, context, &attempt).await,
        // The watch is about to tell that it is gone.
        Ok(Some(None)) => return None,
        Err(error) => {
            context.noop_cache.forget(key);
            report_undecided(server, context, &attempt, error).await
        }
    };
    spans::end(&Span::current(), &reconciled);
    let metrics = &context.settings.metrics;
    metrics.record(result(&reconciled), began.elapsed());
    Some(match reconciled {
        Ok(reconciled) => {
            context.backoff.reset(key);
            let settling = context.identity_delay.remaining(key);
            Requeue::look_again(match &reconciled.progress {
                Progress::AccountSettling => settling.unwrap_or_default(),
                Progress::DeploymentCreated | Progress::OwnerDeleted | Progress::Relocating => {
                    ROLLOUT_POLL
                }
                progress => {
                    let contested = matches!(progress, Progress::Contested);
                    requeue::after_success(contested, reconciled.rollout.as_ref(), jitter())
                }
            })
        }
        Err(error) => {
            let (class, category) = (error.class(), error.category());
            metrics.record_error(category);
            let pause = context.backoff.after_failure(key, class, jitter());
            warn!(server = %key, generation = server.metadata.generation, category, class = class_name(class), retry_in = ?pause, %error, "reconcile failed");
            Requeue::retry(pause)
        }
    })
}

/// What a reconcile is counted as.
fn result(reconciled: &Result<Reconciled, ReconcileError>) -> ReconcileResult {
    match reconciled {
        Err(_) => ReconcileResult::Error,
        Ok(Reconciled {
            progress:
                Progress::DeploymentCreated
                | Progress::OwnerDeleted
                | Progress::Relocating
                | Progress::Contested,
            ..
        }) => ReconcileResult::RequeueAfter,
        Ok(reconciled) => match &reconciled.rollout {
            Some(rollout) if !rollout.complete() => ReconcileResult::RequeueAfter,
            _ => ReconcileResult::Success,
        },
    }
}

/// A server that the informer does not keep whole, if this is one; nothing of it if it is gone.
async fn get_whole(
    guarded: &GuardedServer,
    context: &Context,
) -> Result<Option<Option<WholeServer>>, ReconcileError> {
    if guarded.cut.is_none() {
        return Ok(None);
    }
    context.servers.room_for(&ServerKey::of(guarded))?;
    let whole = context.servers.whole(guarded).await;
    whole.map(Some).map_err(ReconcileError::NotRead)
}

fn class_name(class: ErrorClass) -> &'static str {
    class.into()
}
