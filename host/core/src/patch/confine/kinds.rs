//! The kinds of which a plugin may change a few members and nothing below them is dangerous.

use super::place::Place;
use super::{NEVER, Refusal};

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
    if let Some((_, members)) = MUTABLE.iter().find(|(of, _)| *of == kind) {
        return spec.only_members(members);
    }
    spec.only_members(&[])?;
    // One that is empty and was not there: an apply of a kind that has none would fail.
    Err(spec.refuse(NEVER))
}
