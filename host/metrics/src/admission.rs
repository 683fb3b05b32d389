//! Requests of the admission webhook.

use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::histogram::Histogram;

type ByWebhook = [(&'static str, &'static str); 1];
type ByVerdict = [(&'static str, &'static str); 3];

/// Upper ends of buckets, in seconds: the API server waits for ten at most.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Which of the webhooks is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// Completes MCPServers.
    MutateServer,
    /// Validates MCPServers.
    ValidateServer,
    /// Validates MCPPlugins.
    ValidatePlugin,
    /// Converts MCPServers between versions.
    Convert,
}

impl Webhook {
    /// Its name in metrics, logs and traces.
    pub fn label(self) -> &'static str {
        match self {
            Self::MutateServer => "mutate_mcpserver",
            Self::ValidateServer => "validate_mcpserver",
            Self::ValidatePlugin => "validate_mcpplugin",
            Self::Convert => "convert_mcpserver",
        }
    }
}

/// What a request was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Allowed,
    /// A rule refuses it, or it cannot be converted.
    Denied,
    /// Nobody can say, which refuses it too: plugins that are not loaded, that failed, or too little time.
    Undecided,
    /// It was not judged: no AdmissionReview, too large, too slow, or too many at once.
    Rejected,
}

impl Verdict {
    /// Its name in metrics and traces.
    pub fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Undecided => "undecided",
            Self::Rejected => "rejected",
        }
    }
}

/// Counts requests of the admission webhook. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AdmissionMetrics {
    requests: Family<ByVerdict, Counter>,
    seconds: Family<ByWebhook, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

impl Default for AdmissionMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            in_flight: Gauge::default(),
        }
    }
}

impl AdmissionMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "mcp_operator_admission_requests",
            "Admission requests by webhook, verdict, and status code of the answer",
            self.requests.clone(),
        );
        registry.register(
            "mcp_operator_admission_seconds",
            "From the arrival of an admission request to its answer",
            self.seconds.clone(),
        );
        registry.register(
            "mcp_operator_admission_in_flight",
            "Admission requests that are worked on or wait",
            self.in_flight.clone(),
        );
    }

    /// A request has arrived. One that is dropped without an answer, since its client has left, is counted as rejected.
    pub fn begin(&self, webhook: Webhook) -> AdmissionRequest<'_> {
        self.in_flight.inc();
        AdmissionRequest {
            metrics: self,
            webhook,
            began: Instant::now(),
            answer: (Verdict::Rejected, CLIENT_LEFT),
        }
    }
}

/// nginx's code for a client that has left.
const CLIENT_LEFT: u16 = 499;

/// A request that is worked on; it is counted when this is dropped.
pub struct AdmissionRequest<'a> {
    metrics: &'a AdmissionMetrics,
    webhook: Webhook,
    began: Instant,
    answer: (Verdict, u16),
}

impl AdmissionRequest<'_> {
    /// Has it counted as answered so: with the code of the AdmissionReview's status, or, without one, of HTTP.
    pub fn answered(mut self, verdict: Verdict, code: u16) {
        self.answer = (verdict, code);
    }
}

impl Drop for AdmissionRequest<'_> {
    fn drop(&mut self) {
        let (metrics, (verdict, code)) = (self.metrics, self.answer);
        let webhook = ("webhook", self.webhook.label());
        let labels = [
            webhook,
            ("verdict", verdict.label()),
            ("code", code_label(code)),
        ];
        metrics.requests.get_or_create(&labels).inc();
        let seconds = metrics.seconds.get_or_create(&[webhook]);
        seconds.observe(self.began.elapsed());
        metrics.in_flight.dec();
    }
}

/// Those that the webhook answers with; there is no other, and if there were, it would not become a series of its own.
fn code_label(code: u16) -> &'static str {
    match code {
        200 => "200",
        400 => "400",
        403 => "403",
        404 => "404",
        405 => "405",
        408 => "408",
        413 => "413",
        422 => "422",
        429 => "429",
        499 => "499",
        500 => "500",
        503 => "503",
        504 => "504",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Metrics};

    #[test]
    fn every_request_is_counted_once_however_it_ends() {
        let metrics = Metrics::new("1.0.0");
        let admission = metrics.admission();
        let begin = |webhook| admission.begin(webhook);
        begin(Webhook::ValidateServer).answered(Verdict::Allowed, 200);
        begin(Webhook::ValidateServer).answered(Verdict::Denied, 422);
        begin(Webhook::MutateServer).answered(Verdict::Undecided, 299);
        drop(begin(Webhook::ValidatePlugin));
        let _in_flight = begin(Webhook::MutateServer);
        let text = metrics.encode(Format::Prometheus);
        for line in [
            r#"mcp_operator_admission_requests_total{webhook="validate_mcpserver",verdict="allowed",code="200"} 1"#,
            r#"mcp_operator_admission_requests_total{webhook="validate_mcpserver",verdict="denied",code="422"} 1"#,
            r#"mcp_operator_admission_requests_total{webhook="mutate_mcpserver",verdict="undecided",code="other"} 1"#,
            r#"mcp_operator_admission_requests_total{webhook="validate_mcpplugin",verdict="rejected",code="499"} 1"#,
            r#"mcp_operator_admission_seconds_count{webhook="validate_mcpserver"} 2"#,
            "mcp_operator_admission_in_flight 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
