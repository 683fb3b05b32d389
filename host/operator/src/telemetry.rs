//! Logs and traces, and the one provider of cryptography.

use std::time::Duration;

use anyhow::Result;
use mcp_operator_metrics::TraceMetrics;
use tracing::Metadata;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

mod collector;
mod json_lines;
mod log_filter;
mod otlp;
mod span_export;
#[cfg(test)]
mod test_output;
mod text_fields;
mod trace_id;

use json_lines::JsonLines;
pub(crate) use log_filter::LogFilter;
use otlp::Traces;
use text_fields::TextFields;
pub use trace_id::trace_id;

use crate::cli::RunArguments;

/// What of logs and traces goes on while the operator runs.
pub struct Telemetry {
    /// What is logged.
    pub(crate) log_filter: LogFilter,
    /// Nothing: they are switched off.
    traces: Option<Traces>,
}

impl Telemetry {
    /// Logs go to standard error, by `RUST_LOG` or at level `info`; traces to a collector, if one is named. Within a runtime
    /// of tokio, once in a process.
    ///
    /// # Errors
    /// One sentence: a collector is named that cannot be sent to.
    pub fn start(arguments: &RunArguments, metrics: TraceMetrics) -> Result<Self> {
        install_crypto();
        let (filter, log_filter) = LogFilter::from_environment();
        let for_lines = filter_fn(is_for_lines).with_max_level_hint(LevelFilter::TRACE);
        let lines = fmt::Layer::default().with_writer(std::io::stderr);
        let lines = if arguments.log_json {
            lines.event_format(JsonLines).boxed()
        } else {
            lines.fmt_fields(TextFields::default()).boxed()
        };
        let traces = Traces::start(arguments, metrics)?;
        let subscriber = tracing_subscriber::registry();
        let subscriber = subscriber.with(lines.with_filter(filter.and(for_lines)));
        match &traces {
            Some(traces) => subscriber.with(traces.layer()).init(),
            // Not a layer that does nothing: beside one, each span would be asked about.
            None => subscriber.init(),
        }
        Ok(Self { log_filter, traces })
    }

    /// Sends what is left of traces, for no longer than `patience`.
    pub(crate) async fn stop(self, patience: Duration) {
        if let Some(traces) = self.traces {
            traces.stop(patience).await;
        }
    }
}

/// Spans of our own crates are for traces. No line has them, so that without traces each costs a look at one number.
fn is_for_lines(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() || !otlp::is_ours(metadata)
}

/// rustls takes exactly one provider for the process.
pub fn install_crypto() {
    // Fails only if there is one already, which is then the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use tracing::info_span;

    use super::*;

    #[test]
    fn without_traces_no_span_of_ours_is_made() {
        let (filter, _) = LogFilter::from_environment();
        let for_lines = filter_fn(is_for_lines).with_max_level_hint(LevelFilter::TRACE);
        let lines = fmt::Layer::default().with_writer(std::io::sink);
        let lines = lines.with_filter(filter.and(for_lines));
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            assert!(info_span!(target: "mcp_operator_x", "ours").is_disabled());
            assert!(!info_span!(target: "kube_runtime", "theirs").is_disabled());
        });
    }
}
