//! Registration with the gateway.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Has a series only when something is known.
type Known = Family<[(&'static str, &'static str); 0], Gauge>;

/// What came of a step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It was carried out.
    Done,
    /// It was refused, or nobody answered.
    Failed,
    /// It was not tried, since it builds on one that failed.
    Skipped,
}

impl StepResult {
    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Says how the registration of MCPServers stands. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RegistrationMetrics {
    desired: Known,
    pending: Known,
    last_success: Known,
    steps: Family<[(&'static str, &'static str); 2], Counter>,
    rollouts: Counter,
}

impl RegistrationMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "mcp_operator_registry_servers",
            "MCPServers that the gateway should know",
            self.desired.clone(),
        );
        registry.register(
            "mcp_operator_registry_pending",
            "Of these, MCPServers that it does not know as they should be: on their way, waiting, or refused",
            self.pending.clone(),
        );
        registry.register(
            "mcp_operator_registry_last_success_timestamp_seconds",
            "When a pass of the registration last ended without a failure, in seconds since 1970",
            self.last_success.clone(),
        );
        registry.register(
            "mcp_operator_registry_steps",
            "Steps of plans of the registrar, by what they do and what came of them",
            self.steps.clone(),
        );
        registry.register(
            "mcp_operator_registry_rollouts",
            "Rollouts of the gateway that the registration has begun",
            self.rollouts.clone(),
        );
    }

    /// How many servers there should be, and how many of them are not as they should be.
    pub fn record_servers(&self, desired: usize, pending: usize) {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.desired.get_or_create(&[]).set(count(desired));
        self.pending.get_or_create(&[]).set(count(pending));
    }

    /// A pass has ended without a failure, at this time in seconds since 1970.
    pub fn record_success(&self, now: i64) {
        self.last_success.get_or_create(&[]).set(now);
    }

    /// Counts a step. `action`: what it does, a word of the code.
    pub fn record_step(&self, action: &'static str, result: StepResult) {
        let labels = [("action", action), ("result", result.label())];
        self.steps.get_or_create(&labels).inc();
    }

    /// The gateway was told to restart.
    pub fn record_rollout(&self) {
        self.rollouts.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Metrics};

    #[test]
    fn what_is_not_known_yet_has_no_series() {
        let metrics = Metrics::new("1.0.0");
        let before = metrics.encode(Format::Prometheus);
        assert!(
            !before.contains("mcp_operator_registry_servers"),
            "{before}"
        );
        assert!(!before.contains("last_success"), "{before}");
        let registration = metrics.registration();
        registration.record_servers(12, 3);
        registration.record_success(1_800_000_000);
        registration.record_step("roll", StepResult::Done);
        registration.record_rollout();
        let text = metrics.encode(Format::Prometheus);
        for line in [
            "mcp_operator_registry_servers 12",
            "mcp_operator_registry_pending 3",
            "mcp_operator_registry_last_success_timestamp_seconds 1800000000",
            r#"mcp_operator_registry_steps_total{action="roll",result="done"} 1"#,
            "mcp_operator_registry_rollouts_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
