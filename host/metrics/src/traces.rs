//! Spans of traces that are exported.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What became of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanOutcome {
    /// The collector has it.
    Exported,
    /// The collector did not take it, or does not answer.
    Failed,
    /// Too many were waiting.
    Dropped,
}

impl SpanOutcome {
    fn label(self) -> &'static str {
        match self {
            Self::Exported => "exported",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// Says how the export of traces goes; nothing while they are switched off. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct TraceMetrics(Family<[(&'static str, &'static str); 1], Counter>);

impl TraceMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "mcp_operator_trace_spans",
            "Spans of traces, by what became of them",
            self.0.clone(),
        );
    }

    /// This became of so many spans.
    pub fn record(&self, outcome: SpanOutcome, spans: usize) {
        let counter = self.0.get_or_create(&[("outcome", outcome.label())]);
        counter.inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Metrics};

    #[test]
    fn spans_are_counted_once_there_are_some() {
        let metrics = Metrics::new("1.0.0");
        let before = metrics.encode(Format::Prometheus);
        assert!(!before.contains("mcp_operator_trace_spans"), "{before}");
        metrics.traces().record(SpanOutcome::Exported, 3);
        metrics.traces().record(SpanOutcome::Dropped, 2);
        let text = metrics.encode(Format::Prometheus);
        for line in [
            r#"mcp_operator_trace_spans_total{outcome="exported"} 3"#,
            r#"mcp_operator_trace_spans_total{outcome="dropped"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
