//! The kinds of which a plugin may change a few members and nothing below them is dangerous.

use super::Refusal;
use super::place::Place;

/// Members of `spec` that plugins may change. Of a kind that is not listed, none.
const MUTABLE: &[(&str, &[&str])] = &[
    (
        "Service",
        &[
            "internalTrafficPolicy",
            "ipFamilies",
            "ipFamilyPolicy",
            "sessionAffinity",
            "sessionAffinityConfig",
            "trafficDistribution",
        ],
    ),
    (
        "HorizontalPodAutoscaler",
        &["behavior", "maxReplicas", "metrics", "minReplicas"],
    ),
    (
        "PodDisruptionBudget",
        &[
            "maxUnavailable",
            "minAvailable",
            "unhealthyPodEvictionPolicy",
        ],
    ),
    ("ExternalSecret", &["refreshInterval"]),
];

pub(super) fn check_spec(kind: &str, spec: &Place<'_>) -> Result<(), Refusal> {
    let mutable = MUTABLE.iter().find(|(of, _)| *of == kind);
    spec.only_members(mutable.map_or(&[], |(_, members)| members))
}
