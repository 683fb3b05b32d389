//! When a server is reconciled: this wraps the steps of [`reconcile`] in everything that is about time.

use std::sync::Arc;

use mcp_operator_core::retry::{Classify, ErrorClass};
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_runtime::{GuardedServer, jitter};
use tracing::{error, warn};

use crate::context::Context;
use crate::reconcile::{Progress, reconcile};
use crate::requeue::{self, Attempt, RETRY_WHEN_FULL, ROLLOUT_POLL, Requeue, RetryLimiter};

/// Runs a reconcile now, or puts it off, and says when the next one comes. `None`: only after a change.
pub(crate) async fn run(
    guarded: Arc<GuardedServer>,
    context: &Context,
    retries: &RetryLimiter,
) -> Option<Requeue> {
    let key = ServerKey::of(&*guarded);
    let server = match &guarded.0 {
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
    let attempt = Attempt::begin(is_retry);
    Some(match reconcile(server, context, &attempt).await {
        Ok(reconciled) => {
            context.backoff.reset(&key);
            Requeue::look_again(match &reconciled.progress {
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
            let pause = context.backoff.after_failure(&key, class, jitter());
            warn!(server = %key, category, class = class_name(class), retry_in = ?pause, %error, "reconcile failed");
            Requeue::retry(pause)
        }
    })
}

fn class_name(class: ErrorClass) -> &'static str {
    class.into()
}
