//! NetworkPolicy: in, only from LiteLLM and Prometheus; out, names, traces and what is stated.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::{EgressRule, McpServer};

use super::Settings;
use super::authority::Authority;
use super::container::metrics_port;
use super::environment::tracing_endpoint;
use super::metadata::{object_meta, selector};
use crate::manifest::{ManagedKind, Manifest};

/// Kubernetes puts it on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Where OTLP over HTTP is, if a URL names no port.
const OTLP_PORT: i32 = 4318;

pub(super) fn build(server: &McpServer, settings: &Settings) -> Option<Manifest> {
    let wanted = server
        .spec
        .network_policy
        .as_ref()
        .filter(|policy| policy.enabled)?;
    let stated = wanted.egress.iter().map(stated);
    let spec = NetworkPolicySpec {
        pod_selector: Some(LabelSelector {
            match_labels: Some(selector(server)),
            ..LabelSelector::default()
        }),
        policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
        ingress: Some(ingress(server, settings)),
        egress: Some(
            [Some(names()), traces(server, settings)]
                .into_iter()
                .flatten()
                .chain(stated)
                .collect(),
        ),
    };
    let policy = NetworkPolicy {
        metadata: object_meta(server),
        spec: Some(spec),
    };
    Some(Manifest::new(ManagedKind::NetworkPolicy, policy))
}

fn ingress(server: &McpServer, settings: &Settings) -> Vec<NetworkPolicyIngressRule> {
    let from = |namespaces: &[String], port: i32| NetworkPolicyIngressRule {
        from: Some(namespaces.iter().map(|name| namespace(name)).collect()),
        ports: Some(vec![tcp(port)]),
    };
    let metrics = server.spec.observability.metrics.enabled.then(|| {
        from(
            &settings.monitoring_namespaces,
            metrics_port(server).unwrap_or(server.spec.port),
        )
    });
    [
        Some(from(&settings.gateway_namespaces, server.spec.port)),
        metrics,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// DNS, wherever the cluster has it.
fn names() -> NetworkPolicyEgressRule {
    let port = |protocol: &str| NetworkPolicyPort {
        protocol: Some(protocol.into()),
        port: Some(IntOrString::Int(53)),
        end_port: None,
    };
    NetworkPolicyEgressRule {
        to: None,
        ports: Some(vec![port("UDP"), port("TCP")]),
    }
}

/// The collector of traces, if it is a Service of the cluster.
fn traces(server: &McpServer, settings: &Settings) -> Option<NetworkPolicyEgressRule> {
    let endpoint = tracing_endpoint(server, settings)?;
    let authority = Authority::of(&endpoint);
    let own = server.namespace().unwrap_or_default();
    let collector = authority.namespace_of_service(&own, &settings.cluster_domain)?;
    Some(NetworkPolicyEgressRule {
        to: Some(vec![namespace(collector)]),
        ports: Some(vec![tcp(authority.port.map_or(OTLP_PORT, i32::from))]),
    })
}

fn stated(rule: &EgressRule) -> NetworkPolicyEgressRule {
    let block = IPBlock {
        cidr: rule.cidr.clone(),
        except: None,
    };
    let ports: Vec<NetworkPolicyPort> = rule.ports.iter().map(|port| tcp(*port)).collect();
    NetworkPolicyEgressRule {
        to: Some(vec![NetworkPolicyPeer {
            ip_block: Some(block),
            ..NetworkPolicyPeer::default()
        }]),
        ports: (!ports.is_empty()).then_some(ports),
    }
}

fn namespace(name: &str) -> NetworkPolicyPeer {
    let labels = BTreeMap::from([(NAMESPACE_NAME.to_owned(), name.to_owned())]);
    let selector = LabelSelector {
        match_labels: Some(labels),
        ..LabelSelector::default()
    };
    NetworkPolicyPeer {
        namespace_selector: Some(selector),
        ..NetworkPolicyPeer::default()
    }
}

fn tcp(port: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some("TCP".into()),
        port: Some(IntOrString::Int(port)),
        end_port: None,
    }
}
