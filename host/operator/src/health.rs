//! `/healthz` and `/readyz`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use mcp_operator_policy::Snapshots;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// What a replica that has started needs to be asked.
pub(crate) struct Readiness {
    /// What it judges by: the same as the leader.
    pub(crate) judges_by: Snapshots,
    /// Whether the API server was told whom to trust. It would refuse everything otherwise, also what was let in by others.
    pub(crate) ca_injected: watch::Receiver<bool>,
}

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        *self.ca_injected.borrow() && !self.judges_by.is_behind()
    }
}

/// Serves for as long as the process runs. `/healthz` only says that the process answers: a task that ends, ends the
/// process. From `stopping` on it is not ready: requests go elsewhere before connections end.
pub(crate) async fn serve(
    listener: TcpListener,
    is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
    stopping: CancellationToken,
) {
    let readyz = move || {
        let is_ready = is_ready() && !stopping.is_cancelled();
        async move {
            if is_ready {
                (StatusCode::OK, "ok")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "not ready")
            }
        }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz));
    if let Err(error) = axum::serve(listener, router).await {
        error!(%error, "the health endpoint failed");
    }
}
