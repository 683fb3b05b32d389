//! Paths, and what bounds a request: its size, its time, and how many there are at once.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use futures::StreamExt;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use mcp_operator_metrics::{AdmissionMetrics, Verdict, Webhook};
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span};

use crate::peer_shares::{Peer, PeerShares, Share};
use crate::state::AdmissionState;
use crate::{handlers, heap_cost, lookup_key, request_span, review};

mod conversion;

/// The largest object: what etcd stores by default.
const MAX_OBJECT_BYTES: usize = 3 << 19;
/// What a review says besides.
const REVIEW_BYTES: usize = 64 << 10;
/// The API server takes objects of 3 MiB, and an update also carries the stored one. What is larger comes from somebody else.
const MAX_BODY_BYTES: usize = (3 << 20) + MAX_OBJECT_BYTES + REVIEW_BYTES;
/// Requests that are worked on at once. Of this and what follows, one peer alone has half ([`PeerShares`]).
const MAX_ACTIVE: usize = 128;
/// Requests that may wait besides.
const MAX_QUEUED: usize = 1024;
/// Memory of all bodies together.
const BODY_MEMORY: usize = 64 << 20;
/// Memory that judging large requests may take, all together. A peer alone has half of it, and a request that needs more
/// is refused.
const HEAP: usize = 192 << 20;
/// The same of all other requests, which wait for no large one.
const SMALL_HEAP: usize = 128 << 20;
/// Memory from which on a request is a large one: to read and write it takes a core for a while.
const LARGE_HEAP: usize = 4 << 20;
/// What it is counted in.
const MEMORY_UNIT: usize = 1 << 10;
/// What the API server waits if it says nothing.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// More than this is not taken from the URL: anybody may write it there.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time for a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Within each of these, as many bytes as [`MIN_BODY_RATE`] must come, or the rest.
const RATE_WINDOW: Duration = Duration::from_secs(1);
/// Bytes per [`RATE_WINDOW`].
const MIN_BODY_RATE: usize = 64 << 10;
/// What an answer needs on its way.
const MARGIN: Duration = Duration::from_millis(250);

/// The state, and what bounds the load.
struct Limited {
    state: AdmissionState,
    metrics: AdmissionMetrics,
    /// Requests that are here.
    requests: Arc<PeerShares>,
    /// A [`MEMORY_UNIT`] each of all bodies that are in memory.
    body_memory: Arc<PeerShares>,
    /// Requests that plugins are asked about.
    active: Arc<PeerShares>,
    /// A [`MEMORY_UNIT`] each of what judging large requests takes.
    heap: Arc<PeerShares>,
    /// The same of the others.
    small_heap: Arc<PeerShares>,
    /// A permit for each large request that is worked on: there is always a core left for small ones.
    large: Semaphore,
}

impl Limited {
    fn new(state: AdmissionState, metrics: AdmissionMetrics) -> Self {
        Self {
            state,
            metrics,
            requests: PeerShares::new(MAX_ACTIVE + MAX_QUEUED),
            body_memory: PeerShares::new(BODY_MEMORY / MEMORY_UNIT),
            active: PeerShares::new(MAX_ACTIVE),
            heap: PeerShares::new(HEAP / MEMORY_UNIT),
            small_heap: PeerShares::new(SMALL_HEAP / MEMORY_UNIT),
            large: Semaphore::new(cores().saturating_sub(1).max(1)),
        }
    }
}

/// The paths of the webhook. What is asked of them is counted by `metrics`.
pub fn router(state: AdmissionState, metrics: AdmissionMetrics) -> Router {
    routes(Arc::new(Limited::new(state, metrics)))
}

fn routes(limited: Arc<Limited>) -> Router {
    Router::new()
        .route("/validate/mcpserver", post(validate))
        .route("/mutate/mcpserver", post(mutate))
        .route("/validate/mcpplugin", post(validate_plugin))
        .route("/convert", post(conversion::convert))
        .with_state(limited)
}

async fn validate(State(limited): State<Arc<Limited>>, request: Request) -> Response {
    let decide = async |review: &_, deadline| {
        handlers::validate(&limited.state, review, Some(deadline)).await
    };
    let webhook = Webhook::ValidateServer;
    observed(
        &limited,
        webhook,
        answer(&limited, webhook, request, decide),
    )
    .await
}

async fn mutate(State(limited): State<Arc<Limited>>, request: Request) -> Response {
    let decide =
        async |review: &_, deadline| handlers::mutate(&limited.state, review, Some(deadline)).await;
    let webhook = Webhook::MutateServer;
    observed(
        &limited,
        webhook,
        answer(&limited, webhook, request, decide),
    )
    .await
}

async fn validate_plugin(State(limited): State<Arc<Limited>>, request: Request) -> Response {
    let decide = async |review: &_, _| handlers::validate_plugin(&limited.state, review);
    let webhook = Webhook::ValidatePlugin;
    observed(
        &limited,
        webhook,
        answer(&limited, webhook, request, decide),
    )
    .await
}

/// What an AdmissionReview says, on the HTTP answer that carries it.
#[derive(Clone, Copy)]
struct Judged(Verdict, u16);

impl Judged {
    fn of(response: &AdmissionResponse) -> Self {
        match response.result.code {
            _ if response.allowed => Self(Verdict::Allowed, 200),
            code @ 400..=499 => Self(Verdict::Denied, code),
            code => Self(Verdict::Undecided, code),
        }
    }
}

/// The answer to a request, which is counted and a trace.
async fn observed(
    limited: &Limited,
    webhook: Webhook,
    answer: impl Future<Output = Response>,
) -> Response {
    let counted = limited.metrics.begin(webhook);
    let span = request_span::begin(webhook);
    let answer = answer.instrument(span.clone()).await;
    let judged = answer.extensions().get().copied();
    let Judged(verdict, code) =
        judged.unwrap_or(Judged(Verdict::Rejected, answer.status().as_u16()));
    request_span::end(&span, verdict, code);
    counted.answered(verdict, code);
    answer
}

/// Reads the request, has it decided, writes the answer: all of it within the time that began when it arrived.
async fn answer(
    limited: &Limited,
    webhook: Webhook,
    request: Request,
    decide: impl AsyncFnOnce(&AdmissionRequest<DynamicObject>, Instant) -> AdmissionResponse,
) -> Response {
    let time = time_limit(request.uri().query());
    let deadline = Instant::now() + time;
    let peer = request.extensions().get().copied().unwrap_or(Peer::NONE);
    let Some(_request) = limited.requests.try_take(peer, 1) else {
        return overloaded();
    };
    // The memory is paid back when the request is answered.
    let (body, _memory) = match read_body(limited, peer, request, deadline).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    if body.len() > MAX_OBJECT_BYTES + REVIEW_BYTES
        && let Some(refusal) = refuse_by_size(&body)
    {
        return refusal;
    }
    let heap = heap_cost::of(&body);
    if heap > HEAP / 2 {
        return refuse(&body, TOO_MANY_VALUES);
    }
    let Some(_heap) = take_heap(limited, peer, heap, deadline).await else {
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
    request_span::identify(&Span::current(), &review);
    let decided = timeout_at(deadline, async {
        let _active = limited.active.take(peer, 1).await;
        // Plugins have a little less, so that one that is late fails by itself and not all of the request.
        decide(&review, deadline.checked_sub(MARGIN).unwrap_or(deadline)).await
    });
    let mut response = decided.await.unwrap_or_else(|_| {
        let message = format!("the request was not judged within {time:?}: too many at once");
        review::undecided(&review, "Timeout", 504, &message)
    });
    lookup_key::tell(webhook, &review, (limited.state.trace_id)(), &mut response);
    json(&response)
}

/// Memory for reading and writing a request; of those that need much, no more at once than leave a core to the others.
async fn take_heap(
    limited: &Limited,
    peer: Peer,
    heap: usize,
    deadline: Instant,
) -> Option<(Option<SemaphorePermit<'_>>, Share)> {
    let is_large = heap > LARGE_HEAP;
    let shares = if is_large {
        &limited.heap
    } else {
        &limited.small_heap
    };
    let taken = timeout_at(deadline, async {
        let heap = shares.take(peer, heap.div_ceil(MEMORY_UNIT)).await;
        (permit_if(is_large, &limited.large).await, heap)
    });
    taken.await.ok()
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
    peer: Peer,
    request: Request,
    deadline: Instant,
) -> Result<(Vec<u8>, Vec<Share>), Response> {
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
    let mut memory = Vec::new();
    // What has come since when: a body that stalls ends a window later, however much of it is here.
    let (mut window, mut in_window) = (began, 0);
    loop {
        let due = window + RATE_WINDOW;
        let chunk = match timeout_at(due.min(last), chunks.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(error))) => {
                let message = format!("the body cannot be read: {error}");
                return Err((StatusCode::BAD_REQUEST, message).into_response());
            }
            Ok(None) => return Ok((body, memory)),
            Err(_) => {
                let time = began.elapsed();
                let received = body.len();
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
        let waits = Instant::now();
        let Ok(more) = timeout_at(last, limited.body_memory.take(peer, units)).await else {
            return Err(overloaded());
        };
        // Waiting for memory is no slowness of the client.
        window += waits.elapsed();
        if units > 0 {
            memory.push(more);
        }
        in_window += chunk.len();
        if in_window >= MIN_BODY_RATE {
            (window, in_window) = (Instant::now(), 0);
        }
        body.extend_from_slice(&chunk);
    }
}

/// An object that could not be stored is refused before it is read: in memory it would be many times as large.
fn refuse_by_size(body: &[u8]) -> Option<Response> {
    let head = match review::head(body) {
        Ok(head) => head,
        Err(error) => return Some((StatusCode::BAD_REQUEST, error).into_response()),
    };
    let objects = if head.is_update() { 2 } else { 1 };
    (body.len() > objects * MAX_OBJECT_BYTES + REVIEW_BYTES).then(|| {
        let message = format!(
            "the object is too large: {MAX_OBJECT_BYTES} bytes of JSON are judged at most; make it smaller, for example put large texts of spec.config into a ConfigMap of your own"
        );
        too_large_object(&head, &message)
    })
}

/// Why a request that would take too much memory is refused.
const TOO_MANY_VALUES: &str = "the object consists of too many values to be judged: make lists and objects of spec.config smaller, or put them as a text into a ConfigMap of your own";

/// Refuses an object before it is read.
fn refuse(body: &[u8], message: &str) -> Response {
    match review::head(body) {
        Ok(head) => too_large_object(&head, message),
        Err(error) => (StatusCode::BAD_REQUEST, error).into_response(),
    }
}

fn too_large_object(head: &review::Head, message: &str) -> Response {
    lookup_key::tell_unread(head.uid(), message);
    let judged = Judged(Verdict::Denied, StatusCode::PAYLOAD_TOO_LARGE.as_u16());
    json_body(&head.refusal(message), judged)
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
    json_body(&response.clone().into_review(), Judged::of(response))
}

fn json_body(review: &impl Serialize, judged: Judged) -> Response {
    match serde_json::to_vec(review) {
        Ok(body) => (
            [(header::CONTENT_TYPE, "application/json")],
            Extension(judged),
            Body::from(body),
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
pub(crate) mod tests;
