//! What the start needs of the API server.

use anyhow::Result;
use mcp_operator_core::retry::{Classify, ErrorClass, retry_after};
use mcp_operator_runtime::{ApiError, SharedSecretError, jitter};
use tokio::time::sleep;
use tracing::warn;

/// The pause grows up to that after so many failures, four seconds: nobody is served meanwhile.
const LONGEST_PAUSE: u32 = 4;

/// Does it until it is done, where the API server or the way to it fails. Whoever ends for that is started again by the
/// kubelet, after a pause that gets longer each time and goes on when the API server is back.
///
/// # Errors
/// What no further attempt would mend: somebody has to change something.
pub(crate) async fn retried<T>(attempt: impl AsyncFn() -> Result<T>) -> Result<T> {
    let mut failures = 0;
    loop {
        let error = match attempt().await {
            Err(error) => error,
            done => return done,
        };
        failures = LONGEST_PAUSE.min(failures + 1);
        let class = class(&error).filter(|class| class.may_resolve_itself());
        let Some(pause) = class.and_then(|class| retry_after(class, failures, jitter())) else {
            return Err(error);
        };
        let error = format!("{error:#}");
        warn!(error, "the start waits for the API server");
        sleep(pause).await;
    }
}

fn class(error: &anyhow::Error) -> Option<ErrorClass> {
    error.chain().find_map(|cause| {
        let of_secret = cause.downcast_ref().map(SharedSecretError::class);
        of_secret.or_else(|| cause.downcast_ref().map(ApiError::class))
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::bail;
    use kube::core::Status;

    use super::*;

    fn refused(code: u16) -> ApiError {
        let status = Status {
            code,
            ..Status::default()
        };
        ApiError::new("get Secret a/b", kube::Error::Api(Box::new(status)))
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_is_away_is_waited_for() {
        let attempts = Cell::new(0);
        let done = retried(async || {
            attempts.set(attempts.get() + 1);
            match attempts.get() {
                1 => Err(SharedSecretError::from(refused(503)).into()),
                2..20 => Err(anyhow::Error::from(refused(429)).context("make a certificate")),
                number => Ok(number),
            }
        });
        assert_eq!(done.await.unwrap(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_has_to_change_ends_the_start_at_once() {
        let attempts = Cell::new(0);
        let refused: Result<()> = retried(async || {
            attempts.set(attempts.get() + 1);
            Err(refused(403).into())
        })
        .await;
        assert!(refused.unwrap_err().to_string().contains("get Secret a/b"));
        let unusable: Result<()> = retried(async || {
            attempts.set(attempts.get() + 1);
            bail!("there is no key in it")
        })
        .await;
        assert!(unusable.is_err());
        assert_eq!(attempts.get(), 2);
    }
}
