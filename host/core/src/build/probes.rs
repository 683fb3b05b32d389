//! The probes of the container.

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, HTTPHeader, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mcp_operator_api::v1alpha1::{self as api, HealthProbes, ProbeAction};

use super::container::PORT;

/// Path of a probe by HTTP that states none.
const HEALTH: &str = "/health";
/// The same of the readiness probe.
const READY: &str = "/ready";

/// Gives the container its probes.
pub(super) fn add(container: &mut Container, probes: &HealthProbes) {
    container.startup_probe = probes
        .effective_startup()
        .and_then(|asked| probe(&asked, HEALTH));
    container.liveness_probe = probes
        .effective_liveness()
        .and_then(|asked| probe(&asked, HEALTH));
    container.readiness_probe = probes
        .effective_readiness()
        .and_then(|asked| probe(&asked, READY));
}

fn probe(asked: &api::Probe, path: &str) -> Option<Probe> {
    let port = asked
        .port
        .map_or_else(|| IntOrString::String(PORT.into()), IntOrString::Int);
    let mut probe = Probe {
        initial_delay_seconds: asked.initial_delay_seconds,
        period_seconds: asked.period_seconds,
        timeout_seconds: asked.timeout_seconds,
        failure_threshold: asked.failure_threshold,
        ..Probe::default()
    };
    match asked.action(path)? {
        ProbeAction::Tcp => {
            probe.tcp_socket = Some(TCPSocketAction { port, host: None });
        }
        ProbeAction::Http { path, headers } => {
            let headers: Vec<HTTPHeader> = headers
                .into_iter()
                .map(|header| HTTPHeader {
                    name: header.name,
                    value: header.value,
                })
                .collect();
            probe.http_get = Some(HTTPGetAction {
                path: Some(path),
                port,
                http_headers: (!headers.is_empty()).then_some(headers),
                ..HTTPGetAction::default()
            });
        }
    }
    Some(probe)
}
