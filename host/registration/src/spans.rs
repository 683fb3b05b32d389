//! What a trace says of a pass: names, and what became of it. Nothing of what is written or sent, and no path of a URL, which
//! a registrar makes.

use mcp_operator_core::registration_plan::{Action, ConfigKey, Source, Workload};
use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::requeue::PassResult;

/// A pass. It is a trace of its own.
pub(crate) fn pass() -> Span {
    info_span!(
        parent: None,
        "registration",
        servers = Empty,
        outcome = Empty,
        otel.status_code = Empty,
    )
}

/// Says how a pass has ended, and how many servers it was about.
pub(crate) fn end_pass(span: &Span, result: &PassResult, servers: usize) {
    span.record("servers", servers);
    if result.failed.is_some() {
        span.record("outcome", "failed");
        span.record("otel.status_code", "ERROR");
    } else {
        span.record("outcome", if result.done { "done" } else { "unfinished" });
    }
}

/// One step of that.
pub(crate) fn step(name: &'static str) -> Span {
    info_span!("step", otel.name = name)
}

/// A registrar is asked what to do.
pub(crate) fn plan(plugin: &str) -> Span {
    info_span!("plan", plugin)
}

/// Something is read for a registrar.
pub(crate) fn read(source: &Source) -> Span {
    match source {
        Source::ConfigKey(key) => config_key("read config key", key),
        Source::Workload(named) => workload("read workload", named),
        Source::Http(request) => http(&request.connection, &request.method),
    }
}

/// A planned step is carried out.
pub(crate) fn action(action: &Action) -> Span {
    match action {
        Action::WriteConfigKey(write) => config_key("write config key", &write.key),
        Action::Roll(roll) => workload("roll workload", &roll.workload),
        Action::Send(request) => http(&request.connection, &request.method),
    }
}

/// Says how that has ended: nothing, or the category of the failure.
pub(crate) fn end(span: &Span, result: Result<(), &'static str>) {
    match result {
        Ok(()) => span.record("outcome", "done"),
        Err(category) => span
            .record("outcome", category)
            .record("otel.status_code", "ERROR"),
    };
}

fn config_key(what: &'static str, key: &ConfigKey) -> Span {
    info_span!(
        "config key",
        otel.name = what,
        namespace = key.namespace,
        name = key.name,
        outcome = Empty,
        otel.status_code = Empty,
    )
}

fn workload(what: &'static str, named: &Workload) -> Span {
    info_span!(
        "workload",
        otel.name = what,
        kind = named.kind,
        namespace = named.namespace,
        name = named.name,
        outcome = Empty,
        otel.status_code = Empty,
    )
}

fn http(connection: &str, method: &str) -> Span {
    info_span!(
        "http request",
        otel.kind = "client",
        connection,
        method,
        outcome = Empty,
        otel.status_code = Empty,
    )
}
