//! Metrics, tracing and health probes.

use serde::{Deserialize, Serialize};

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

    /// HTTP probes.
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

/// HTTP probes of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthProbes {
    /// Is the server alive? If not, its container is restarted. Default path: `/health`.
    #[serde(default = "liveness")]
    pub liveness: Probe,

    /// Can the server take requests? If not, it gets none. Default path: `/ready`.
    #[serde(default = "readiness")]
    pub readiness: Probe,
}

/// An HTTP probe. What is left out takes the default of the probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Path to ask, on `spec.port`. Default: `/health` for `liveness`, `/ready` for `readiness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(length(max = 256)))]
    pub path: Option<String>,

    /// Seconds from the start of the container to the first probe. Default: 10 for `liveness`, 5
    /// for `readiness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0, max = 3600)))]
    pub initial_delay_seconds: Option<i32>,

    /// Seconds between probes. Default: 10 for `liveness`, 5 for `readiness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 3600)))]
    pub period_seconds: Option<i32>,

    /// Seconds after which a probe has failed. Default: 1, Kubernetes' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 3600)))]
    pub timeout_seconds: Option<i32>,

    /// Failures in a row that count as one. Default: 3, Kubernetes' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 1, max = 1000)))]
    pub failure_threshold: Option<i32>,
}

fn liveness() -> Probe {
    Probe {
        path: Some("/health".into()),
        initial_delay_seconds: Some(10),
        period_seconds: Some(10),
        ..Probe::default()
    }
}

fn readiness() -> Probe {
    Probe {
        path: Some("/ready".into()),
        initial_delay_seconds: Some(5),
        period_seconds: Some(5),
        ..Probe::default()
    }
}

impl Default for HealthProbes {
    fn default() -> Self {
        Self {
            liveness: liveness(),
            readiness: readiness(),
        }
    }
}

impl HealthProbes {
    /// The liveness probe with what the user left out filled in.
    pub fn effective_liveness(&self) -> Probe {
        self.liveness.or(liveness())
    }

    /// The readiness probe with what the user left out filled in.
    pub fn effective_readiness(&self) -> Probe {
        self.readiness.or(readiness())
    }
}

impl Probe {
    fn or(&self, default: Self) -> Self {
        Self {
            path: self.path.clone().or(default.path),
            initial_delay_seconds: self.initial_delay_seconds.or(default.initial_delay_seconds),
            period_seconds: self.period_seconds.or(default.period_seconds),
            timeout_seconds: self.timeout_seconds.or(default.timeout_seconds),
            failure_threshold: self.failure_threshold.or(default.failure_threshold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_with_only_a_path_keeps_the_other_defaults() {
        let probes: HealthProbes =
            serde_json::from_str(r#"{"readiness": {"path": "/up"}}"#).unwrap();
        assert_eq!(
            probes.effective_readiness(),
            Probe {
                path: Some("/up".into()),
                ..readiness()
            }
        );
        assert_eq!(probes.effective_liveness(), liveness());
    }
}
