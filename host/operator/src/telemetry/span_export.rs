//! How many spans wait, and what becomes of them: nobody waits for a collector, and nothing is lost without being counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mcp_operator_metrics::{SpanOutcome, TraceMetrics};
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};
use tracing::{info, warn};

/// Spans that wait at once, of about a kilobyte each.
const QUEUE: usize = 2048;

/// What the queue and the exporter share.
#[derive(Clone, Debug)]
struct Progress(Arc<State>);

#[derive(Debug)]
struct State {
    metrics: TraceMetrics,
    /// Spans in the queue.
    waiting: AtomicUsize,
    /// Whether spans were lost since the collector had the last ones, which is told once.
    lost: AtomicBool,
}

impl Progress {
    /// Takes a place in the queue, if there is one.
    fn try_queue(&self) -> bool {
        let one_more = |waiting: usize| (waiting < QUEUE).then_some(waiting + 1);
        let counter = &self.0.waiting;
        let taken = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        if taken.is_err() {
            self.lose(SpanOutcome::Dropped, 1, "too many are waiting");
        }
        taken.is_ok()
    }

    fn export_began(&self, spans: usize) {
        self.0.waiting.fetch_sub(spans, Ordering::Relaxed);
    }

    fn export_ended(&self, spans: usize, result: &OTelSdkResult) {
        match result {
            Ok(()) => {
                self.0.metrics.record(SpanOutcome::Exported, spans);
                if self.0.lost.swap(false, Ordering::Relaxed) {
                    info!("the collector has traces again");
                }
            }
            Err(error) => self.lose(SpanOutcome::Failed, spans, &error.to_string()),
        }
    }

    fn lose(&self, outcome: SpanOutcome, spans: usize, error: &str) {
        self.0.metrics.record(outcome, spans);
        if !self.0.lost.swap(true, Ordering::Relaxed) {
            warn!(
                error,
                "traces are lost: mcp_operator_trace_spans_total counts them"
            );
        }
    }
}

/// The way of spans to an exporter: a queue that has an end, and a thread that sends what is in it.
pub(super) fn bounded_queue(
    exporter: impl SpanExporter + 'static,
    metrics: TraceMetrics,
) -> impl SpanProcessor + 'static {
    let progress = Progress(Arc::new(State {
        metrics,
        waiting: AtomicUsize::new(0),
        lost: AtomicBool::new(false),
    }));
    let exporter = CountedExporter {
        exporter,
        progress: progress.clone(),
    };
    // Its own queue is as long: what is given to it has a place there.
    let settings = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .build();
    let batches = BatchSpanProcessor::builder(exporter)
        .with_batch_config(settings)
        .build();
    BoundedQueue { batches, progress }
}

#[derive(Debug)]
struct BoundedQueue {
    batches: BatchSpanProcessor,
    progress: Progress,
}

impl SpanProcessor for BoundedQueue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.progress.try_queue() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

#[derive(Debug)]
struct CountedExporter<E> {
    exporter: E,
    progress: Progress,
}

impl<E: SpanExporter> SpanExporter for CountedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.progress.export_began(spans);
        let result = self.exporter.export(batch).await;
        self.progress.export_ended(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Mutex, PoisonError};
    use std::time::Instant;

    use mcp_operator_metrics::{Format, Metrics};
    use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// A collector that answers when it is told to, and with what.
    #[derive(Debug)]
    struct Slow(Mutex<Receiver<OTelSdkResult>>);

    impl SpanExporter for Slow {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            answers.recv().unwrap_or(Ok(()))
        }
    }

    fn provider(metrics: &Metrics) -> (SdkTracerProvider, Sender<OTelSdkResult>) {
        let (answer, answers) = channel();
        let queue = bounded_queue(Slow(Mutex::new(answers)), metrics.traces());
        let provider = SdkTracerProvider::builder().with_span_processor(queue);
        (provider.build(), answer)
    }

    fn counted(metrics: &Metrics, outcome: &str) -> usize {
        let text = metrics.encode(Format::Prometheus);
        let series = format!(r#"mcp_operator_trace_spans_total{{outcome="{outcome}"}} "#);
        let mut values = text.lines().filter_map(|line| line.strip_prefix(&series));
        values.next().map_or(0, |value| value.parse().unwrap())
    }

    #[test]
    fn nobody_waits_for_a_collector_and_what_is_lost_is_counted() {
        let metrics = Metrics::new("1.0.0");
        let (provider, answer) = provider(&metrics);
        let tracer = provider.tracer("test");
        let (spans, began) = (3 * QUEUE, Instant::now());
        for _ in 0..spans {
            tracer.start("span").end();
        }
        assert!(began.elapsed() < Duration::from_secs(10));
        let dropped = counted(&metrics, "dropped");
        // One batch may have left the queue.
        assert!((QUEUE..=2 * QUEUE).contains(&dropped), "{dropped}");

        let late = provider.shutdown_with_timeout(Duration::from_millis(50));
        assert!(late.is_err(), "it is not there");
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(answer);
    }

    #[test]
    fn what_a_collector_takes_and_what_it_refuses_is_counted() {
        let metrics = Metrics::new("1.0.0");
        let (provider, answer) = provider(&metrics);
        let tracer = provider.tracer("test");
        answer
            .send(Err(OTelSdkError::InternalFailure("away".into())))
            .unwrap();
        tracer.start("refused").end();
        provider.force_flush().unwrap_err();
        assert_eq!(counted(&metrics, "failed"), 1);
        drop(answer);
        tracer.start("taken").end();
        provider
            .shutdown_with_timeout(Duration::from_secs(10))
            .unwrap();
        assert_eq!(counted(&metrics, "exported"), 1);
        assert_eq!(counted(&metrics, "dropped"), 0);
    }
}
