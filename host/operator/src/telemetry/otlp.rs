//! Traces: spans of this program's own crates, by OTLP to a collector.

use std::time::Duration;

use anyhow::{Context, Result};
use mcp_operator_metrics::TraceMetrics;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::task::spawn_blocking;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber, info};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::collector::CollectorClient;
use super::span_export::bounded_queue;
use crate::cli::RunArguments;

/// Name of the program as a service, unless `OTEL_SERVICE_NAME` says another; and of what its spans are made by.
const SERVICE: &str = "mcp-operator";

/// The export of traces.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to export, if a collector is named.
    ///
    /// # Errors
    /// One sentence: it cannot be sent to.
    pub(super) fn start(arguments: &RunArguments, metrics: TraceMetrics) -> Result<Option<Self>> {
        let settings = &arguments.traces;
        let Some(endpoint) = settings.endpoint() else {
            return Ok(None);
        };
        let timeout = settings.timeout();
        let client =
            CollectorClient::new(&endpoint, settings.otlp_certificate.as_deref(), timeout)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(timeout)
            .build()
            .context("traces cannot be exported")?;
        let provider = SdkTracerProvider::builder()
            .with_sampler(settings.sampler())
            .with_resource(resource(arguments))
            .with_span_processor(bounded_queue(exporter, metrics))
            .build();
        Ok(Some(Self(provider)))
    }

    /// Makes spans of OpenTelemetry of those of this program.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_exported).with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what waits. No request, and no reconcile, is behind this any more.
    pub(super) async fn stop(self, patience: Duration) {
        let stopped = spawn_blocking(move || self.0.shutdown_with_timeout(patience)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            info!("the last spans were not exported within {patience:?}");
        }
    }
}

/// Spans of our own crates, of which it is known what they say. Events stay in the log: their messages are for people, and
/// what is exported is names and outcomes.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && is_ours(metadata)
}

/// Whether this is of our own crates.
pub(super) fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("mcp_")
}

/// What the traces are of: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` come before this.
fn resource(arguments: &RunArguments) -> Resource {
    let replica = arguments.replica();
    let ours = [
        KeyValue::new("service.name", SERVICE),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", replica.clone()),
        KeyValue::new("k8s.namespace.name", arguments.namespace.clone()),
        KeyValue::new("k8s.pod.name", replica),
    ];
    let environment = Resource::builder().build();
    let is_said = |attribute: &KeyValue| {
        let said = environment.get(&attribute.key);
        said.is_some_and(|value| !value.as_str().starts_with("unknown_service"))
    };
    let ours = ours.into_iter().filter(|attribute| !is_said(attribute));
    Resource::builder().with_attributes(ours).build()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Sampler, SpanData, SpanExporter as Exporter};
    use tracing::{debug_span, info_span};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::telemetry::trace_id;

    #[derive(Clone, Debug, Default)]
    struct Collected(Arc<Mutex<Vec<SpanData>>>);

    impl Exporter for Collected {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    /// What is exported of this.
    fn exported(sampler: Sampler, run: impl FnOnce()) -> Vec<SpanData> {
        let collected = Collected::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_simple_exporter(collected.clone())
            .build();
        let subscriber = tracing_subscriber::registry().with(Traces(provider).layer());
        tracing::subscriber::with_default(subscriber, run);
        collected.0.lock().unwrap().clone()
    }

    #[test]
    fn of_this_program_names_and_outcomes_are_exported_and_nothing_that_is_logged() {
        let mut id = None;
        let spans = exported(Sampler::AlwaysOn, || {
            let outer = info_span!(target: "mcp_operator_x", "outer", plugin = "a", outcome = tracing::field::Empty);
            let _outer = outer.clone().entered();
            outer.record("outcome", "Answered");
            let _theirs =
                info_span!(target: "kube_client", "HTTP", url = "https://secret").entered();
            let _detail = debug_span!(target: "mcp_operator_x", "detail").entered();
            let _inner = info_span!(target: "mcp_operator_x", "inner").entered();
            info!(target: "mcp_operator_x", value = "secret", "a message");
            id = trace_id();
        });
        let [inner, outer] = spans.as_slice() else {
            panic!("{spans:?}")
        };
        assert_eq!((&*inner.name, &*outer.name), ("inner", "outer"));
        assert_eq!(inner.parent_span_id, outer.span_context.span_id());
        assert_eq!(id, Some(outer.span_context.trace_id().to_string()));
        let attributes = outer.attributes.iter();
        let attributes: Vec<_> = attributes
            .map(|it| (it.key.as_str(), it.value.as_str()))
            .collect();
        assert_eq!(
            attributes,
            [("plugin", "a".into()), ("outcome", "Answered".into())]
        );
        assert!(inner.attributes.is_empty(), "{:?}", inner.attributes);
        assert!(inner.events.is_empty() && outer.events.is_empty());
    }

    #[test]
    fn a_trace_that_is_not_exported_has_no_id_to_look_for() {
        let mut ids = Vec::new();
        let spans = exported(Sampler::AlwaysOff, || {
            ids.push(trace_id());
            let _span = info_span!(target: "mcp_operator_x", "outer").entered();
            ids.push(trace_id());
        });
        assert!(spans.is_empty());
        assert_eq!(ids, [None, None]);
    }
}
