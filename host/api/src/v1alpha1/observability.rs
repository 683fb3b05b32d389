//! Metrics, tracing and health probes.

use serde::{Deserialize, Serialize};

use super::HealthProbes;

/// Metrics, tracing and health probes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Observability {
    /// Prometheus metrics (a ServiceMonitor).
    #[serde(default)]
    pub metrics: Metrics,

    /// Traces.
    #[serde(default)]
    pub tracing: Tracing,

    /// Health probes: by TCP, or by HTTP where a path is stated.
    #[serde(default)]
    pub health_probes: HealthProbes,
}

/// Prometheus metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Whether Prometheus is asked to scrape the server, by a ServiceMonitor. Default: false, since most MCP servers have no
    /// metrics.
    #[serde(default)]
    pub enabled: bool,

    /// Port with the metrics. Default: `spec.port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 65535)))]
    pub port: Option<i32>,

    /// Path of the metrics. Default: `/metrics`.
    #[serde(default = "metrics_path")]
    #[cfg_attr(feature = "crd", schemars(length(max = 256)))]
    pub path: String,

    /// Time between two scrapes, for example `1m`. Default: `30s`.
    #[serde(default = "metrics_interval")]
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 32), regex(pattern = "^([0-9]+(ms|s|m|h))+$"))
    )]
    pub interval: String,
}

fn metrics_path() -> String {
    "/metrics".into()
}

fn metrics_interval() -> String {
    "30s".into()
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            enabled: false,
            port: None,
            path: metrics_path(),
            interval: metrics_interval(),
        }
    }
}

/// Traces, given to the server as the environment variables that OpenTelemetry names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(kube::KubeSchema))]
#[cfg_attr(
    feature = "crd",
    x_kube(validation = kube::core::Rule::new("!has(self.jaegerEndpoint) || self.jaegerEndpoint.matches('^https?://.+')")
        .message("must be an http:// or https:// URL")
        .field_path(".jaegerEndpoint"))
)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// Whether the server sends traces. Default: false.
    #[serde(default)]
    pub enabled: bool,

    /// OTLP endpoint of the collector: `http://jaeger.monitoring.svc.cluster.local:4318`. Default:
    /// the operator's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 1024)))]
    pub jaeger_endpoint: Option<String>,

    /// Share of requests to trace, from 0.0 (none) to 1.0 (all). Default: 1.0.
    #[serde(default = "all")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0.0, max = 1.0)))]
    pub sampling_rate: f64,
}

fn all() -> f64 {
    1.0
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            enabled: false,
            jaeger_endpoint: None,
            sampling_rate: all(),
        }
    }
}
