//! How pods are spread over nodes and zones.

use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use mcp_operator_api::v1alpha1::{McpServer, Spread};

use super::metadata::selector;

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// Different nodes, by `spec.affinity.podAntiAffinity`.
pub(super) fn nodes(server: &McpServer) -> Option<Affinity> {
    let term = PodAffinityTerm {
        label_selector: Some(own_pods(server)),
        topology_key: HOST.into(),
        ..PodAffinityTerm::default()
    };
    let apart = match server.spec.affinity.pod_anti_affinity {
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
        pod_anti_affinity: Some(apart),
        ..Affinity::default()
    })
}

/// Zones evenly, by `spec.affinity.zoneSpread`.
pub(super) fn zones(server: &McpServer) -> Option<Vec<TopologySpreadConstraint>> {
    let otherwise = match server.spec.affinity.zone_spread {
        Spread::None => return None,
        Spread::Required => "DoNotSchedule",
        Spread::Preferred => "ScheduleAnyway",
    };
    Some(vec![TopologySpreadConstraint {
        label_selector: Some(own_pods(server)),
        max_skew: 1,
        topology_key: ZONE.into(),
        when_unsatisfiable: otherwise.into(),
        ..TopologySpreadConstraint::default()
    }])
}

fn own_pods(server: &McpServer) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(server)),
        ..LabelSelector::default()
    }
}
