//! A pod: where it is scheduled, what it costs and how it is hardened, but neither what it runs nor whom it trusts.

use super::place::Place;
use super::{NEVER, Refusal, STRICTER, container, security_context, volumes};

/// Priorities by which the cluster's own pods replace others.
const CLUSTER_PRIORITIES: &str = "system-";

pub(super) fn check(pod: &Place<'_>) -> Result<(), Refusal> {
    for (name, place) in pod.changed_members()? {
        match name {
            "affinity"
            | "nodeSelector"
            | "terminationGracePeriodSeconds"
            | "tolerations"
            | "topologySpreadConstraints" => {}
            // Each of these gives a pod something that it can do without.
            "automountServiceAccountToken" | "enableServiceLinks" | "hostUsers" => {
                place.only(&false.into())?;
            }
            "containers" => container::check_all(&place, pod)?,
            // Who answers questions for names decides whom the pod talks to.
            "dnsConfig" => place.only_members(&["options"])?,
            "priorityClassName" => check_priority(&place)?,
            "runtimeClassName" if place.before.is_null() => {}
            "runtimeClassName" => return Err(place.refuse(STRICTER)),
            "securityContext" => security_context::check_pod(&place)?,
            "volumes" => volumes::check(&place)?,
            _ => return Err(place.refuse(NEVER)),
        }
    }
    Ok(())
}

fn check_priority(place: &Place<'_>) -> Result<(), Refusal> {
    let class = place.after.as_str().unwrap_or_default();
    if class.starts_with(CLUSTER_PRIORITIES) {
        return Err(place.refuse("to a priority of the cluster's own pods, which no plugin may"));
    }
    Ok(())
}
