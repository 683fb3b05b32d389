//! PodDisruptionBudget: how many pods may be away when nodes are drained.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mcp_operator_api::v1alpha1::{IntOrPercent, McpServer};

use super::metadata::{object_meta, selector};
use crate::manifest::{ManagedKind, Manifest};

/// None where no pod could ever go, such as for a single one that must stay: no node could be drained.
pub(super) fn build(server: &McpServer) -> Option<Manifest> {
    let budget = &server.spec.pod_disruption_budget;
    if !budget.enabled || withheld(server) {
        return None;
    }
    let min_available = match (&budget.min_available, &budget.max_unavailable) {
        (None, None) => Some(IntOrString::Int(1)),
        (min, _) => min.as_ref().map(int_or_string),
    };
    let spec = PodDisruptionBudgetSpec {
        min_available,
        max_unavailable: budget.max_unavailable.as_ref().map(int_or_string),
        selector: Some(LabelSelector {
            match_labels: Some(selector(server)),
            ..LabelSelector::default()
        }),
        // A pod that does not serve has nothing to lose, and must not keep a node from being drained.
        unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
    };
    let budget = PodDisruptionBudget {
        metadata: object_meta(server),
        spec: Some(spec),
        status: None,
    };
    Some(Manifest::new(ManagedKind::PodDisruptionBudget, budget))
}

/// Whether one is wanted that would let no pod go: it is not made.
pub fn withheld(server: &McpServer) -> bool {
    server.spec.pod_disruption_budget.enabled && blocks_every_drain(server)
}

/// Whether the budget would let no pod go, however healthy all are.
fn blocks_every_drain(server: &McpServer) -> bool {
    let budget = &server.spec.pod_disruption_budget;
    let pods = server
        .spec
        .autoscaling
        .as_ref()
        .map_or(server.spec.replicas, |scaling| scaling.min_replicas);
    match (&budget.min_available, &budget.max_unavailable) {
        (_, Some(away)) => number(away, pods) == 0,
        (Some(stay), None) => pods <= number(stay, pods),
        (None, None) => pods <= 1,
    }
}

/// As Kubernetes counts: a part of a pod is a whole one, so 51% of two pods are both.
fn number(value: &IntOrPercent, pods: i32) -> i32 {
    match value {
        IntOrPercent::Int(number) => *number,
        IntOrPercent::Percent(percent) => {
            let percent: i64 = percent.trim_end_matches('%').parse().unwrap_or_default();
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
