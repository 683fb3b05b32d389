//! `/healthz` and `/readyz`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::error;

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
