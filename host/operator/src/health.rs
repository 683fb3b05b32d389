//! `/healthz` and `/readyz`.

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Serves until it is dropped. From `stopping` on it is not ready: requests go elsewhere before connections end.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    ready: watch::Receiver<bool>,
    stopping: CancellationToken,
) -> Result<()> {
    let readyz = move || {
        let is_ready = *ready.borrow() && !stopping.is_cancelled();
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
    axum::serve(listener, router)
        .await
        .context("the health endpoint failed")
}
