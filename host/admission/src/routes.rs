//! Paths, and what bounds a request: its size, its time, and how many there are at once.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
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
/// A body from which on a request is a large one: to read and write it takes a core for a while.
const LARGE_BODY: usize = 128 << 10;
/// What it is counted in.
const MEMORY_UNIT: usize = 1 << 10;
/// What the API server waits if it says nothing.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// More than this is not taken from the URL: anybody may write it there.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time for a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// In its first second a body may be as slow as it likes.
const RATE_GRACE: Duration = Duration::from_secs(1);
/// Bytes per second that must have come on the average after that.
const MIN_BODY_RATE: u32 = 64 << 10;
/// What an answer needs on its way.
const MARGIN: Duration = Duration::from_millis(250);

/// The state, and what bounds the load.
struct Limited {
    state: AdmissionState,
    /// A permit for each request that is here.
    requests: Semaphore,
    /// A permit for each [`MEMORY_UNIT`] of all bodies that are in memory.
    body_memory: Semaphore,
    /// A permit for each large request that is worked on: there is always a core left for small ones.
    large: Semaphore,
    /// A permit for each request that plugins are asked about.
    active: Semaphore,
}

impl Limited {
    fn new(state: AdmissionState) -> Self {
        Self {
            state,
            requests: Semaphore::new(MAX_ACTIVE + MAX_QUEUED),
            body_memory: Semaphore::new(BODY_MEMORY / MEMORY_UNIT),
            large: Semaphore::new(cores().saturating_sub(1).max(1)),
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
        handlers::validate_plugin(&limited.state, review)
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
    // The memory is paid back when the request is answered.
    let (body, _memory) = match read_body(limited, request, deadline).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let is_large = body.len() > LARGE_BODY;
    let Ok(_large) = timeout_at(deadline, permit_if(is_large, &limited.large)).await else {
        return overloaded();
    };
    // Not where other requests are waiting for their next bytes.
    let review = match spawn_blocking(move || review::parse(&body)).await {
        Ok(Ok(review)) => review,
        Ok(Err(error)) => return (StatusCode::BAD_REQUEST, error).into_response(),
        Err(error) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
        }
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

/// A permit of a semaphore that is never closed, for those that need one.
async fn permit_if(needed: bool, semaphore: &Semaphore) -> Option<SemaphorePermit<'_>> {
    if needed {
        semaphore.acquire().await.ok()
    } else {
        None
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Reads a body, and takes memory for what has arrived: what a client only announces holds up nobody.
async fn read_body(
    limited: &Limited,
    request: Request,
    deadline: Instant,
) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Response> {
    let said = request.headers().get(header::CONTENT_LENGTH);
    let said: Option<usize> = said.and_then(|length| length.to_str().ok()?.parse().ok());
    let too_long = || too_large(format!("the body has more than {MAX_BODY_BYTES} bytes"));
    if said.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(too_long());
    }
    let began = Instant::now();
    let last = deadline.min(began + BODY_TIMEOUT);
    let mut chunks = request.into_body().into_data_stream();
    let mut body = Vec::new();
    let mut memory: Option<SemaphorePermit<'_>> = None;
    loop {
        let received = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let due = began + RATE_GRACE + Duration::from_secs(1) * received / MIN_BODY_RATE;
        let chunk = match timeout_at(due.min(last), chunks.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(error))) => {
                let message = format!("the body cannot be read: {error}");
                return Err((StatusCode::BAD_REQUEST, message).into_response());
            }
            Ok(None) => return Ok((body, memory)),
            Err(_) => {
                let time = began.elapsed();
                let message = format!(
                    "the body is too slow: {received} bytes in {time:?}; send at least {MIN_BODY_RATE} bytes per second, and all of it within {BODY_TIMEOUT:?} and the request's timeout"
                );
                return Err((StatusCode::REQUEST_TIMEOUT, message).into_response());
            }
        };
        let length = body.len() + chunk.len();
        if length > MAX_BODY_BYTES {
            return Err(too_long());
        }
        let units = length.div_ceil(MEMORY_UNIT) - body.len().div_ceil(MEMORY_UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let Ok(Ok(more)) = timeout_at(last, limited.body_memory.acquire_many(units)).await else {
            return Err(overloaded());
        };
        match &mut memory {
            Some(memory) => memory.merge(more),
            None => memory = Some(more),
        }
        body.extend_from_slice(&chunk);
    }
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
