//! Reconciles, by the names that operators in Go have for them.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::histogram::Histogram;

type ByController = [(&'static str, &'static str); 1];
type ByControllerAnd = [(&'static str, &'static str); 2];

/// Upper ends of buckets, in seconds: most reconciles ask nobody, and a request has ten seconds.
const SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// What came of a reconcile. The words are those of controller-runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Everything is as it should be.
    Success,
    /// Something is on its way, or others come first: it is looked at again soon.
    RequeueAfter,
    /// It failed.
    Error,
}

impl ReconcileResult {
    fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Error => "error",
        }
    }
}

/// The reconciles of all controllers.
#[derive(Clone, Debug)]
pub(crate) struct Reconciles {
    total: Family<ByControllerAnd, Counter>,
    seconds: Family<ByController, Histogram, fn() -> Histogram>,
    errors: Family<ByControllerAnd, Counter>,
}

impl Default for Reconciles {
    fn default() -> Self {
        Self {
            total: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            errors: Family::default(),
        }
    }
}

impl Reconciles {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "controller_runtime_reconcile",
            "Reconciles by controller and result",
            self.total.clone(),
        );
        registry.register(
            "controller_runtime_reconcile_time_seconds",
            "How long reconciles take",
            self.seconds.clone(),
        );
        registry.register(
            "mcp_operator_reconcile_errors",
            "Failed reconciles, and failed steps of them, by the category that is also the reason of conditions and events",
            self.errors.clone(),
        );
    }

    /// Those of one controller, of which all results are there from the beginning: a rate needs a first value.
    pub(crate) fn of(&self, controller: &'static str) -> ReconcileMetrics {
        let total = |result: ReconcileResult| {
            let labels = [("controller", controller), ("result", result.label())];
            self.total.get_or_create_owned(&labels)
        };
        ReconcileMetrics {
            controller,
            success: total(ReconcileResult::Success),
            requeue_after: total(ReconcileResult::RequeueAfter),
            error: total(ReconcileResult::Error),
            seconds: self
                .seconds
                .get_or_create_owned(&[("controller", controller)]),
            errors: self.errors.clone(),
        }
    }
}

/// Counts the reconciles of one controller. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReconcileMetrics {
    controller: &'static str,
    success: Counter,
    requeue_after: Counter,
    error: Counter,
    seconds: Histogram,
    errors: Family<ByControllerAnd, Counter>,
}

impl Default for ReconcileMetrics {
    fn default() -> Self {
        Reconciles::default().of("none")
    }
}

impl ReconcileMetrics {
    /// Counts a reconcile.
    pub fn record(&self, result: ReconcileResult, duration: Duration) {
        let counter = match result {
            ReconcileResult::Success => &self.success,
            ReconcileResult::RequeueAfter => &self.requeue_after,
            ReconcileResult::Error => &self.error,
        };
        counter.inc();
        self.seconds.observe(duration);
    }

    /// Counts an error by its category, a word of the code (`core::retry::Classify`).
    pub fn record_error(&self, category: &'static str) {
        let labels = [("controller", self.controller), ("error_type", category)];
        self.errors.get_or_create(&labels).inc();
    }

    /// How many reconciles there were.
    pub fn count(&self) -> u64 {
        self.seconds.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Metrics};

    #[test]
    fn reconciles_and_errors_have_the_names_of_the_architecture() {
        let metrics = Metrics::new("1.0.0");
        let controller = metrics.reconciles("mcpserver");
        controller.record(ReconcileResult::Success, Duration::from_millis(7));
        controller.record(ReconcileResult::Error, Duration::from_secs(2));
        controller.record_error("ForeignObject");
        let text = metrics.encode(Format::Prometheus);
        for line in [
            r#"controller_runtime_reconcile_total{controller="mcpserver",result="success"} 1"#,
            r#"controller_runtime_reconcile_total{controller="mcpserver",result="error"} 1"#,
            r#"controller_runtime_reconcile_total{controller="mcpserver",result="requeue_after"} 0"#,
            r#"controller_runtime_reconcile_time_seconds_bucket{controller="mcpserver",le="0.01"} 1"#,
            r#"controller_runtime_reconcile_time_seconds_count{controller="mcpserver"} 2"#,
            r#"mcp_operator_reconcile_errors_total{controller="mcpserver",error_type="ForeignObject"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
