//! Paths, and what bounds a request: its size, its time, and how many there are at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::state::AdmissionState;
use crate::{handlers, review};

/// The API server takes objects of 3 MiB, and an update carries two.
const MAX_BODY_BYTES: usize = 8 << 20;
/// Requests that are worked on at once.
const MAX_ACTIVE: usize = 64;
/// Requests that may wait besides.
const MAX_QUEUED: usize = 512;
/// Memory of all bodies together.
const BODY_MEMORY: usize = 32 << 20;
/// What it is counted in.
const MEMORY_UNIT: usize = 1 << 10;
/// What the API server waits if it says nothing.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a webhook can be configured to at most.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);
/// What an answer needs on its way.
const MARGIN: Duration = Duration::from_millis(250);

/// The state, and what bounds the load.
struct Limited {
    state: AdmissionState,
    /// A permit for each request that is here.
    requests: Semaphore,
    /// A permit for each [`MEMORY_UNIT`] of all bodies that are in memory.
    body_memory: Semaphore,
    /// A permit for each request that plugins are asked about.
    active: Semaphore,
}

impl Limited {
    fn new(state: AdmissionState) -> Self {
        Self {
            state,
            requests: Semaphore::new(MAX_ACTIVE + MAX_QUEUED),
            body_memory: Semaphore::new(BODY_MEMORY / MEMORY_UNIT),
            active: Semaphore::new(MAX_ACTIVE),
        }
    }
}

/// The paths of the webhook.
pub fn router(state: AdmissionState) -> Router {
    routes(Arc::new(Limited::new(state)))
}

fn routes(limited: Arc<Limited>) -> Router {
    Router::new()
        .route("/validate/mcpserver", post(validate))
        .route("/mutate/mcpserver", post(mutate))
        .route("/validate/mcpplugin", post(validate_plugin))
        .with_state(limited)
}

async fn validate(State(limited): State<Arc<Limited>>, request: Request) -> Response {
    answer(&limited, request, async |review, deadline| {
        handlers::validate(&limited.state, review, Some(deadline)).await
    })
    .await
}

async fn mutate(State(limited): State<Arc<Limited>>, request: Request) -> Response {
    answer(&limited, request, async |review, deadline| {
        handlers::mutate(&limited.state, review, Some(deadline)).await
    })
    .await
}

async fn validate_plugin(State(limited): State<Arc<Limited>>, request: Request) -> Response {
    answer(&limited, request, async |review, _| {
        handlers::validate_plugin(review)
    })
    .await
}

/// Reads the request, has it decided, writes the answer: all of it within the time that began when it arrived.
async fn answer(
    limited: &Limited,
    request: Request,
    decide: impl AsyncFnOnce(&AdmissionRequest<DynamicObject>, Instant) -> AdmissionResponse,
) -> Response {
    let time = time_limit(request.uri().query());
    let deadline = Instant::now() + time;
    let Ok(_request) = limited.requests.try_acquire() else {
        return overloaded();
    };
    // Memory is set aside before the first byte is read, for as long as the request is here.
    let Some(units) = memory_units(&request) else {
        return too_large(format!("the body has more than {MAX_BODY_BYTES} bytes"));
    };
    let Ok(_memory) = timeout_at(deadline, limited.body_memory.acquire_many(units)).await else {
        return overloaded();
    };
    let body = match timeout_at(deadline, to_bytes(request.into_body(), MAX_BODY_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return too_large(format!("the body cannot be read: {error}")),
        Err(_) => {
            let message = format!("the body did not arrive within {time:?}");
            return (StatusCode::REQUEST_TIMEOUT, message).into_response();
        }
    };
    let review = match review::parse(&body) {
        Ok(review) => review,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let decided = timeout_at(deadline, async {
        // Never closed, so there is always a permit to wait for.
        let _active = limited.active.acquire().await;
        // Plugins have a little less, so that one that is late fails by itself and not all of the request.
        decide(&review, deadline.checked_sub(MARGIN).unwrap_or(deadline)).await
    });
    let response = decided.await.unwrap_or_else(|_| {
        let message = format!("the request was not judged within {time:?}: too many at once");
        review::undecided(&review, "Timeout", 504, &message)
    });
    json(&response)
}

/// Permits for the body of a request, by the length that it says; nothing if that is too large.
fn memory_units(request: &Request) -> Option<u32> {
    let said = request.headers().get(header::CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse().ok());
    let bytes: usize = said.unwrap_or(MAX_BODY_BYTES);
    (bytes <= MAX_BODY_BYTES)
        .then(|| u32::try_from(bytes.div_ceil(MEMORY_UNIT)).unwrap_or(u32::MAX))
}

fn too_large(message: String) -> Response {
    (StatusCode::PAYLOAD_TOO_LARGE, message).into_response()
}

/// The API server says how long it waits; an answer after that is none.
fn time_limit(query: Option<&str>) -> Duration {
    let parameters = parameters(query);
    let seconds = parameters
        .get("timeout")
        .and_then(|value| value.strip_suffix('s')?.parse().ok());
    seconds
        .map_or(DEFAULT_TIMEOUT, Duration::from_secs)
        .min(MAX_TIMEOUT)
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
#[path = "routes_tests.rs"]
mod tests;
