//! How pods are spread over nodes and zones.

use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use mcp_operator_api::v1alpha1::Spread;

use super::metadata::label_selector;
use crate::validated_server::ValidatedServer;

const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// Pods on different nodes, by `spec.affinity.podAntiAffinity`.
pub(super) fn node_anti_affinity(server: &ValidatedServer) -> Option<Affinity> {
    let term = PodAffinityTerm {
        label_selector: Some(label_selector(server)),
        topology_key: HOSTNAME.into(),
        ..PodAffinityTerm::default()
    };
    let anti_affinity = match server.spec.affinity.pod_anti_affinity {
        Spread::None => return None,
        Spread::Required => PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        },
        Spread::Preferred => PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm {
                    pod_affinity_term: term,
                    weight: 100,
                },
            ]),
            ..PodAntiAffinity::default()
        },
    };
    Some(Affinity {
        pod_anti_affinity: Some(anti_affinity),
        ..Affinity::default()
    })
}

/// Pods evenly over zones, by `spec.affinity.zoneSpread`.
pub(super) fn zone_spread(server: &ValidatedServer) -> Option<Vec<TopologySpreadConstraint>> {
    let when_unsatisfiable = match server.spec.affinity.zone_spread {
        Spread::None => return None,
        Spread::Required => "DoNotSchedule",
        Spread::Preferred => "ScheduleAnyway",
    };
    Some(vec![TopologySpreadConstraint {
        label_selector: Some(label_selector(server)),
        max_skew: 1,
        topology_key: ZONE.into(),
        when_unsatisfiable: when_unsatisfiable.into(),
        ..TopologySpreadConstraint::default()
    }])
}
