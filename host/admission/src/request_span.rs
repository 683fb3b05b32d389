//! What a trace says of a request: names, and what became of it.

use kube::api::DynamicObject;
use kube::core::admission::{AdmissionRequest, Operation};
use mcp_operator_core::text::one_line;
use mcp_operator_metrics::{Verdict, Webhook};
use tracing::field::Empty;
use tracing::{Span, info_span};

/// The longest name of an object, and more than a uid has: anybody who reaches the webhook may write more.
const MAX_NAME_BYTES: usize = 253;

/// A request that has arrived; who sends it is known once it was read.
pub(crate) fn begin(webhook: Webhook) -> Span {
    info_span!(
        "admission",
        otel.kind = "server",
        otel.status_code = Empty,
        webhook = webhook.label(),
        uid = Empty,
        operation = Empty,
        kind = Empty,
        namespace = Empty,
        name = Empty,
        verdict = Empty,
        code = Empty,
    )
}

/// Says which request this is.
pub(crate) fn identify(span: &Span, request: &AdmissionRequest<DynamicObject>) {
    if span.is_disabled() {
        return;
    }
    let short = |text: &str| one_line(text, MAX_NAME_BYTES);
    span.record("uid", short(&request.uid));
    span.record("operation", operation(&request.operation));
    span.record("kind", short(&request.kind.kind));
    if let Some(namespace) = &request.namespace {
        span.record("namespace", short(namespace));
    }
    span.record("name", short(&request.name));
}

/// Says what it was answered with.
pub(crate) fn end(span: &Span, verdict: Verdict, code: u16) {
    span.record("verdict", verdict.label());
    span.record("code", code);
    if matches!(verdict, Verdict::Undecided) {
        span.record("otel.status_code", "ERROR");
    }
}

/// As the API server says it.
pub(crate) fn operation(operation: &Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}
