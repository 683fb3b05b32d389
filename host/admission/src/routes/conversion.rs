//! `/convert`: bounded as all requests are, and by nothing that plugins are bounded by.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mcp_operator_metrics::{Verdict, Webhook};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::{Judged, Limited, json_body, observed, overloaded, read_body, take_heap, time_limit};
use crate::conversion_review;
use crate::peer_shares::Peer;

pub(super) async fn convert(State(limited): State<Arc<Limited>>, request: Request) -> Response {
    observed(&limited, Webhook::Convert, answer(&limited, request)).await
}

async fn answer(limited: &Limited, request: Request) -> Response {
    let deadline = Instant::now() + time_limit(request.uri().query());
    let peer = request.extensions().get().copied().unwrap_or(Peer::NONE);
    let Some(_request) = limited.requests.try_take(peer, 1) else {
        return overloaded();
    };
    let (body, _memory) = match read_body(limited, peer, request, deadline).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let heap = conversion_review::cost(&body);
    let Some(_heap) = take_heap(limited, peer, heap, deadline).await else {
        return overloaded();
    };
    // Not where other requests are waiting for their next bytes.
    match spawn_blocking(move || conversion_review::answer(&body)).await {
        Ok(Ok(answer)) if answer.is_success() => json_body(&answer, Judged(Verdict::Allowed, 200)),
        Ok(Ok(answer)) => json_body(&answer, Judged(Verdict::Denied, 422)),
        Ok(Err(error)) => (StatusCode::BAD_REQUEST, error).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
