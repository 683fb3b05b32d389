//! PodDisruptionBudget: how many pods may be evicted at a time when nodes are drained.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mcp_operator_api::v1alpha1::{IntOrPercent, McpServerSpec};

use super::metadata::{label_selector, object_meta};
use crate::validated_server::ValidatedServer;

/// None where no pod could ever be evicted, such as a single one that must stay: its node could not be drained.
pub(super) fn build(server: &ValidatedServer) -> Option<PodDisruptionBudget> {
    let budget = &server.spec.pod_disruption_budget;
    if !budget.enabled || withheld(&server.spec) {
        return None;
    }
    let min_available = match (&budget.min_available, &budget.max_unavailable) {
        (None, None) => Some(IntOrString::Int(1)),
        (min, _) => min.as_ref().map(int_or_string),
    };
    let spec = PodDisruptionBudgetSpec {
        min_available,
        max_unavailable: budget.max_unavailable.as_ref().map(int_or_string),
        selector: Some(label_selector(server)),
        // Evicting a pod that does not serve disrupts nobody, so it must not keep a node from being drained.
        unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
    };
    Some(PodDisruptionBudget {
        metadata: object_meta(server),
        spec: Some(spec),
        status: None,
    })
}

/// Whether a budget is asked for but not made, because it would block every drain.
pub fn withheld(spec: &McpServerSpec) -> bool {
    spec.pod_disruption_budget.enabled && blocks_every_drain(spec)
}

/// Whether the budget would let no pod be evicted, even when all are healthy.
fn blocks_every_drain(spec: &McpServerSpec) -> bool {
    let budget = &spec.pod_disruption_budget;
    let pods = spec
        .autoscaling
        .as_ref()
        .map_or(spec.replicas, |scaling| scaling.min_replicas);
    match (&budget.min_available, &budget.max_unavailable) {
        (_, Some(away)) => pod_count(away, pods) == 0,
        (Some(stay), None) => pods <= pod_count(stay, pods),
        (None, None) => pods <= 1,
    }
}

/// Rounds a percentage up as Kubernetes does: 51% of two pods are both of them.
fn pod_count(value: &IntOrPercent, pods: i32) -> i32 {
    match value {
        IntOrPercent::Int(number) => *number,
        IntOrPercent::Percent(percent) => {
            // The schema admits digits with a percent sign only; without them the API server refuses the budget anyway.
            let percent: i64 = percent.trim_end_matches('%').parse().unwrap_or(0);
            let pods = (i64::from(pods) * percent + 99) / 100;
            i32::try_from(pods).unwrap_or(i32::MAX)
        }
    }
}

fn int_or_string(value: &IntOrPercent) -> IntOrString {
    match value {
        IntOrPercent::Int(number) => IntOrString::Int(*number),
        IntOrPercent::Percent(percent) => IntOrString::String(percent.clone()),
    }
}
