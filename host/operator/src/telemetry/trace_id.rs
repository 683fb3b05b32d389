//! The id by which somebody finds a trace.

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

/// The id of the trace that this is a part of, if one is exported.
pub fn trace_id() -> Option<String> {
    let context = Context::current();
    let span = context.span();
    let context = span.span_context();
    context.is_sampled().then(|| context.trace_id().to_string())
}
