//! The containers of a pod: which there are and what they run stays as it is.

use super::place::Place;
use super::{NEVER, Refusal, security_context, volumes};

pub(super) fn check_all(containers: &Place<'_>, pod: &Place<'_>) -> Result<(), Refusal> {
    for container in containers.items()? {
        check(&container, pod)?;
    }
    Ok(())
}

fn check(container: &Place<'_>, pod: &Place<'_>) -> Result<(), Refusal> {
    for (name, place) in container.changed_members()? {
        match name {
            // Only so does the registry see whether the pod may have the image.
            "imagePullPolicy" => place.only(&"Always".into())?,
            "livenessProbe" | "readinessProbe" | "startupProbe" => check_probe(&place)?,
            "resources" => place.only_members(&["limits", "requests"])?,
            "securityContext" => security_context::check_container(&place, pod)?,
            "terminationMessagePolicy" => {}
            "volumeMounts" => volumes::check_mounts(&place, &pod.after["volumes"])?,
            _ => return Err(place.refuse(NEVER)),
        }
    }
    Ok(())
}

/// The kubelet asks the pod itself, and runs nothing.
fn check_probe(probe: &Place<'_>) -> Result<(), Refusal> {
    for (name, place) in probe.changed_members()? {
        match name {
            "failureThreshold"
            | "initialDelaySeconds"
            | "periodSeconds"
            | "successThreshold"
            | "terminationGracePeriodSeconds"
            | "timeoutSeconds" => {}
            "grpc" => place.only_members(&["port", "service"])?,
            "httpGet" => place.only_members(&["httpHeaders", "path", "port", "scheme"])?,
            "tcpSocket" => place.only_members(&["port"])?,
            _ => return Err(place.refuse(NEVER)),
        }
    }
    Ok(())
}
