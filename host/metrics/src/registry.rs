//! The one place that knows all families, and their text.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::admission::AdmissionMetrics;
use crate::certificates::CertificateMetrics;
use crate::fleet::Fleet;
use crate::leader;
use crate::plugin_calls::PluginCallMetrics;
use crate::plugins::{self, PluginState};
use crate::queues::{self, QueueState};
use crate::reconciles::{ReconcileMetrics, Reconciles};
use crate::registration::RegistrationMetrics;
use crate::traces::TraceMetrics;
use crate::violations;

/// Everything that is counted in this process. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    reconciles: Reconciles,
    plugin_calls: PluginCallMetrics,
    admission: AdmissionMetrics,
    registration: RegistrationMetrics,
    certificates: CertificateMetrics,
    traces: TraceMetrics,
    sources: Sources,
}

/// A format of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What a client wants by its header `Accept`; Prometheus' own format if it does not say that it knows the other.
    pub fn accepted(accept: Option<&str>) -> Self {
        let mut types = accept.unwrap_or_default().split(',');
        let is_open = |kind: &str| {
            let mut parts = kind.split(';').map(str::trim);
            let is_kind = parts.next() == Some("application/openmetrics-text");
            // A version that is not said is the first.
            is_kind && parts.all(|part| !part.starts_with("version=") || part == "version=1.0.0")
        };
        if types.any(is_open) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Metrics {
    /// Of a process with this version, which has counted nothing.
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::default();
        let build = Info::new([("version", version)]);
        registry.register("mcp_operator_build", "The version that runs", build);
        let reconciles = Reconciles::default();
        reconciles.register(&mut registry);
        let admission = AdmissionMetrics::default();
        admission.register(&mut registry);
        let registration = RegistrationMetrics::default();
        registration.register(&mut registry);
        let certificates = CertificateMetrics::default();
        certificates.register(&mut registry);
        let traces = TraceMetrics::default();
        traces.register(&mut registry);
        let plugin_calls = PluginCallMetrics::default();
        registry.register_collector(Box::new(plugin_calls.clone()));
        let sources = Sources::default();
        registry.register_collector(Box::new(sources.clone()));
        Self(Arc::new(Inner {
            registry,
            reconciles,
            plugin_calls,
            admission,
            registration,
            certificates,
            traces,
            sources,
        }))
    }

    /// For the controller of this name.
    pub fn reconciles(&self, controller: &'static str) -> ReconcileMetrics {
        self.0.reconciles.of(controller)
    }

    /// For the plugin host.
    pub fn plugin_calls(&self) -> PluginCallMetrics {
        self.0.plugin_calls.clone()
    }

    /// For the admission webhook.
    pub fn admission(&self) -> AdmissionMetrics {
        self.0.admission.clone()
    }

    /// For the registration.
    pub fn registration(&self) -> RegistrationMetrics {
        self.0.registration.clone()
    }

    /// For whoever serves with a certificate.
    pub fn certificates(&self) -> CertificateMetrics {
        self.0.certificates.clone()
    }

    /// For whoever exports traces.
    pub fn traces(&self) -> TraceMetrics {
        self.0.traces.clone()
    }

    /// From now on, a scrape asks this for the MCPServers that there are.
    pub fn observe_fleet(&self, fleet: impl Fn() -> Fleet + Send + 'static) {
        self.0.sources.lock().fleet = Some(Box::new(fleet));
    }

    /// From now on, a scrape asks this for the MCPPlugins that there are.
    pub fn observe_plugins(&self, plugins: impl Fn() -> Vec<PluginState> + Send + 'static) {
        self.0.sources.lock().plugins = Some(Box::new(plugins));
    }

    /// From now on, a scrape asks this how many MCPServers break rules, by the name of the plugin.
    pub fn observe_violations(&self, servers: impl Fn() -> BTreeMap<String, u32> + Send + 'static) {
        self.0.sources.lock().violations = Some(Box::new(servers));
    }

    /// From now on, a scrape asks this for the state of a work queue.
    pub fn observe_queue(
        &self,
        name: &'static str,
        state: impl Fn() -> QueueState + Send + 'static,
    ) {
        self.0.sources.lock().queues.push((name, Box::new(state)));
    }

    /// From now on, a scrape asks this whether the process holds the lease of this name.
    pub fn observe_leader(
        &self,
        lease: &'static str,
        is_leader: impl Fn() -> bool + Send + 'static,
    ) {
        self.0.sources.lock().leader = Some((lease, Box::new(is_leader)));
    }

    /// The text of everything.
    pub fn encode(&self, format: Format) -> String {
        let mut output = String::new();
        let encoded = match format {
            Format::Prometheus => prometheus_text::encode(&mut output, &self.0.registry),
            Format::OpenMetrics => text::encode(&mut output, &self.0.registry),
        };
        // Writing to a text cannot fail, and no encoder of ours does.
        encoded.map_or_else(|error| format!("# {error}\n"), |()| output)
    }
}

type Source<T> = Box<dyn Fn() -> T + Send>;

/// What is asked at a scrape, since others hold it anyway.
#[derive(Clone, Default)]
struct Sources(Arc<Mutex<SourceList>>);

#[derive(Default)]
struct SourceList {
    fleet: Option<Source<Fleet>>,
    plugins: Option<Source<Vec<PluginState>>>,
    violations: Option<Source<BTreeMap<String, u32>>>,
    queues: Vec<(&'static str, Source<QueueState>)>,
    leader: Option<(&'static str, Source<bool>)>,
}

impl Sources {
    fn lock(&self) -> MutexGuard<'_, SourceList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let sources = self.lock();
        let queues: Vec<_> = sources
            .queues
            .iter()
            .map(|(name, state)| (*name, state()))
            .collect();
        queues::encode(&mut encoder, &queues)?;
        if let Some((lease, is_leader)) = &sources.leader {
            leader::encode(&mut encoder, lease, is_leader())?;
        }
        if let Some(plugins) = &sources.plugins {
            plugins::encode(&mut encoder, &plugins())?;
        }
        if let Some(servers) = &sources.violations {
            violations::encode(&mut encoder, &servers())?;
        }
        if let Some(fleet) = &sources.fleet {
            fleet().encode(&mut encoder)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_know_openmetrics_gets_the_format_of_prometheus() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (None, Format::Prometheus),
            (Some("*/*"), Format::Prometheus),
            (Some("text/plain;version=0.0.4"), Format::Prometheus),
            (
                Some("application/openmetrics-text; version=0.0.1"),
                Format::Prometheus,
            ),
            (Some(prometheus), Format::OpenMetrics),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn the_version_is_told_in_both_formats() {
        let metrics = Metrics::new("1.2.3");
        let info = r#"mcp_operator_build_info{version="1.2.3"} 1"#;
        let open = metrics.encode(Format::OpenMetrics);
        assert!(open.contains(info) && open.ends_with("# EOF\n"), "{open}");
        let text = metrics.encode(Format::Prometheus);
        assert!(text.contains(info) && !text.contains("# EOF"), "{text}");
    }
}
