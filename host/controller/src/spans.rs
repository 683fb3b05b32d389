//! What a trace says of a reconcile: names, and what became of it. Messages are in the log and in conditions.

use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::manifest::Manifest;
use mcp_operator_core::retry::Classify;
use mcp_operator_core::server_key::ServerKey;
use tracing::field::Empty;
use tracing::{Span, info_span};

/// A reconcile. It is a trace of its own.
pub(crate) fn reconcile(key: &ServerKey, server: &McpServer, is_retry: bool) -> Span {
    info_span!(
        parent: None,
        "reconcile",
        namespace = key.namespace,
        name = key.name,
        uid = server.metadata.uid,
        generation = server.metadata.generation,
        is_retry,
        outcome = Empty,
        otel.status_code = Empty,
    )
}

/// One step of that.
pub(crate) fn step(name: &'static str) -> Span {
    info_span!("step", otel.name = name)
}

/// An object that is made what it should be.
pub(crate) fn apply(manifest: &Manifest) -> Span {
    info_span!(
        "apply object",
        kind = manifest.kind.name(),
        namespace = manifest.namespace(),
        name = manifest.name(),
        outcome = Empty,
        otel.status_code = Empty,
    )
}

/// Says what became of it, in one word.
pub(crate) fn end<T, E: Classify>(span: &Span, result: &Result<T, E>)
where
    for<'a> &'a T: Into<&'static str>,
{
    match result {
        Ok(outcome) => span.record::<_, &str>("outcome", outcome.into()),
        Err(error) => span
            .record("outcome", error.category())
            .record("otel.status_code", "ERROR"),
    };
}
