//! Paths, and what bounds a request: its size, its time, and how many there are at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as AxumState};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::state::State;
use super::{handlers, review};

/// The API server takes objects of 3 MiB, and an update carries two.
const LARGEST_BODY: usize = 8 << 20;
/// Requests that are worked on at once, and that may wait.
const CONCURRENCY: usize = 64;
const QUEUE: usize = 512;
/// What the API server waits if it says nothing, and what an answer needs on its way.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const MARGIN: Duration = Duration::from_millis(250);

/// What bounds the load.
struct Load {
    state: State,
    admitted: Semaphore,
    working: Semaphore,
}

/// The paths of the webhook.
pub fn router(state: State) -> Router {
    let load = Arc::new(Load {
        state,
        admitted: Semaphore::new(CONCURRENCY + QUEUE),
        working: Semaphore::new(CONCURRENCY),
    });
    Router::new()
        .route("/validate/mcpserver", post(validate))
        .route("/mutate/mcpserver", post(mutate))
        .route("/validate/mcpplugin", post(validate_plugin))
        .with_state(load)
}

async fn validate(AxumState(load): AxumState<Arc<Load>>, request: Request) -> Response {
    answer(&load, request, async |review| {
        handlers::validate(&load.state, review).await
    })
    .await
}

async fn mutate(AxumState(load): AxumState<Arc<Load>>, request: Request) -> Response {
    answer(&load, request, async |review| {
        handlers::mutate(&load.state, review).await
    })
    .await
}

async fn validate_plugin(AxumState(load): AxumState<Arc<Load>>, request: Request) -> Response {
    answer(&load, request, async |review| {
        handlers::validate_plugin(review)
    })
    .await
}

/// Reads the request, lets it be judged within its time, writes the answer.
async fn answer(
    load: &Load,
    request: Request,
    judge: impl AsyncFnOnce(&AdmissionRequest<DynamicObject>) -> AdmissionResponse,
) -> Response {
    let Ok(_admitted) = load.admitted.try_acquire() else {
        return overloaded();
    };
    let time = time_to_answer(request.uri().query());
    let body = match to_bytes(request.into_body(), LARGEST_BODY).await {
        Ok(body) => body,
        Err(error) => {
            return (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body cannot be read: {error}"),
            )
                .into_response();
        }
    };
    let review = match review::parse(&body) {
        Ok(review) => review,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let judged = timeout(time, async {
        // Never closed, so there is always a permit to wait for.
        let _working = load.working.acquire().await;
        judge(&review).await
    });
    let response = judged.await.unwrap_or_else(|_| {
        let message = format!("the plugins did not answer within {time:?}");
        review::unable(&review, "Timeout", 504, &message)
    });
    json(&response)
}

/// The API server says how long it waits; an answer after that is none.
fn time_to_answer(query: Option<&str>) -> Duration {
    let parameters = parameters(query);
    let seconds = parameters
        .get("timeout")
        .and_then(|value| value.strip_suffix('s')?.parse().ok());
    seconds
        .map_or(DEFAULT_TIMEOUT, Duration::from_secs)
        .saturating_sub(MARGIN)
}

/// Query parameters of a URL.
fn parameters(text: Option<&str>) -> BTreeMap<&str, &str> {
    text.unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect()
}

fn overloaded() -> Response {
    (
        StatusCode::TOO_MANY_REQUESTS,
        [(header::RETRY_AFTER, "1")],
        "too many requests at once",
    )
        .into_response()
}

fn json(response: &AdmissionResponse) -> Response {
    match serde_json::to_vec(&response.clone().into_review()) {
        Ok(body) => (
            [(header::CONTENT_TYPE, "application/json")],
            Body::from(body),
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_servers_patience_bounds_the_time() {
        assert_eq!(
            time_to_answer(Some("timeout=5s")),
            Duration::from_millis(4750)
        );
        assert_eq!(
            time_to_answer(Some("a=b&timeout=30s")),
            Duration::from_millis(29_750)
        );
        assert_eq!(time_to_answer(None), Duration::from_millis(9750));
        assert_eq!(
            time_to_answer(Some("timeout=soon")),
            Duration::from_millis(9750)
        );
    }
}
