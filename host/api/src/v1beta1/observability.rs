//! Metrics and tracing.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::Metrics;

/// Metrics and tracing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observability {
    /// Prometheus metrics (a ServiceMonitor).
    #[serde(default)]
    pub metrics: Metrics,

    /// Traces.
    #[serde(default)]
    pub tracing: Tracing,
}

/// Traces, given to the server as the environment variables that OpenTelemetry names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = kube::core::Rule::new("!has(self.endpoint) || self.endpoint.matches('^https?://.+')")
        .message("must be an http:// or https:// URL")
        .field_path(".endpoint"))]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// Whether the server sends traces. Default: false.
    #[serde(default)]
    pub enabled: bool,

    /// OTLP endpoint of the collector: `http://jaeger.monitoring.svc.cluster.local:4318`. Default:
    /// the operator's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub endpoint: Option<String>,

    /// Share of requests to trace, from 0.0 (none) to 1.0 (all). Default: 1.0.
    #[serde(default = "all")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sampling_rate: f64,
}

fn all() -> f64 {
    1.0
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            enabled: false,
            endpoint: None,
            sampling_rate: all(),
        }
    }
}
