//! NetworkPolicy: ingress only from LiteLLM and Prometheus; egress only to DNS, the collector of traces and what the
//! specification lists.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mcp_operator_api::authority::Authority;
use mcp_operator_api::v1alpha1::EgressRule;

use super::container::metrics_port;
use super::environment::tracing_endpoint;
use super::metadata::{label_selector, object_meta};
use super::{Settings, metadata_addresses};
use crate::validated_server::ValidatedServer;

/// Label that Kubernetes puts on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Ports of DNS. Rules see the port of the pod behind the Service: OpenShift's listen on 5353.
const DNS_PORTS: [(i32, &str); 4] = [(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")];
/// Port of OTLP over HTTP, for a URL that names none.
const OTLP_PORT: i32 = 4318;

pub(super) fn build(server: &ValidatedServer, settings: &Settings) -> Option<NetworkPolicy> {
    let policy = server
        .spec
        .network_policy
        .as_ref()
        .filter(|policy| policy.enabled)?;
    let user_rules = policy.egress.iter().map(user_rule);
    let spec = NetworkPolicySpec {
        pod_selector: Some(label_selector(server)),
        policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
        ingress: Some(ingress(server, settings)),
        egress: Some(
            [Some(dns(settings)), traces(server, settings)]
                .into_iter()
                .flatten()
                .chain(user_rules)
                .collect(),
        ),
    };
    Some(NetworkPolicy {
        metadata: object_meta(server),
        spec: Some(spec),
    })
}

fn ingress(server: &ValidatedServer, settings: &Settings) -> Vec<NetworkPolicyIngressRule> {
    let from = |namespaces: &[String], port: i32| NetworkPolicyIngressRule {
        from: Some(namespaces.iter().map(|name| namespace_peer(name)).collect()),
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

/// To DNS: in the namespaces that the administrator names, or else in whichever namespace or host the cluster runs it.
fn dns(settings: &Settings) -> NetworkPolicyEgressRule {
    let peers: Vec<NetworkPolicyPeer> = settings
        .dns_namespaces
        .iter()
        .map(|name| namespace_peer(name))
        .collect();
    let port = |(number, protocol): (i32, &str)| NetworkPolicyPort {
        protocol: Some(protocol.into()),
        port: Some(IntOrString::Int(number)),
        end_port: None,
    };
    NetworkPolicyEgressRule {
        to: (!peers.is_empty()).then_some(peers),
        ports: Some(DNS_PORTS.map(port).to_vec()),
    }
}

/// To the collector of traces, if it is a Service of the cluster.
fn traces(server: &ValidatedServer, settings: &Settings) -> Option<NetworkPolicyEgressRule> {
    let endpoint = tracing_endpoint(server, settings)?;
    let authority = Authority::of(&endpoint);
    let collector =
        authority.namespace_of_service(&server.key.namespace, &settings.cluster_domain)?;
    Some(NetworkPolicyEgressRule {
        to: Some(vec![namespace_peer(collector)]),
        ports: Some(vec![tcp(authority.port.map_or(OTLP_PORT, i32::from))]),
    })
}

fn user_rule(rule: &EgressRule) -> NetworkPolicyEgressRule {
    let block = IPBlock {
        cidr: rule.cidr.clone(),
        except: metadata_addresses::inside(&rule.cidr),
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

fn namespace_peer(name: &str) -> NetworkPolicyPeer {
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
