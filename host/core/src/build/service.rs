//! Service: one address for the pods.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mcp_operator_api::v1alpha1::Sessions;

use super::container::{METRICS_PORT, PORT, metrics_port};
use super::metadata::{object_meta, selector};
use crate::validated_server::ValidatedServer;

pub(super) fn build(server: &ValidatedServer) -> Service {
    let metrics = metrics_port(server).map(|number| port(METRICS_PORT, number));
    let spec = ServiceSpec {
        type_: Some("ClusterIP".into()),
        selector: Some(selector(&server.key)),
        ports: Some(
            [port(PORT, server.spec.port)]
                .into_iter()
                .chain(metrics)
                .collect(),
        ),
        // In both cases, so that what a person sets there is put back.
        session_affinity: Some(
            match server.spec.sessions {
                Sessions::Sticky => "ClientIP",
                Sessions::None => "None",
            }
            .into(),
        ),
        ..ServiceSpec::default()
    };
    Service {
        metadata: object_meta(server),
        spec: Some(spec),
        status: None,
    }
}

fn port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.into()),
        port: number,
        target_port: Some(IntOrString::String(name.into())),
        // Written out because it is part of the key by which the API server merges ports.
        protocol: Some("TCP".into()),
        ..ServicePort::default()
    }
}
