//! The container of an MCP server.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, HTTPGetAction, Probe, ResourceRequirements, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mcp_operator_api::v1alpha1::{self as api, PullPolicy};

use super::environment;
use super::{Settings, deployment};
use crate::validated_server::ValidatedServer;

pub(super) const NAME: &str = "server";
/// Name of the port that speaks MCP.
pub(super) const PORT: &str = "http";
/// Name of the port with the metrics, where that is another one.
pub(super) const METRICS_PORT: &str = "metrics";
/// Folder that the configuration file is mounted into.
const CONFIG_FOLDER: &str = "/etc/mcp";

pub(super) fn build(
    server: &ValidatedServer,
    image: &api::Image,
    has_config: bool,
    settings: &Settings,
) -> Container {
    let spec = &server.spec;
    let probes = &spec.observability.health_probes;
    Container {
        name: NAME.into(),
        image: Some(image.reference()),
        image_pull_policy: Some(pull_policy(image.pull_policy).into()),
        command: non_empty(&spec.command),
        args: non_empty(&spec.args),
        env: Some(environment::build(server, settings)).filter(|variables| !variables.is_empty()),
        ports: Some(ports(server)),
        resources: resources(&spec.resources),
        liveness_probe: Some(probe(&probes.effective_liveness())),
        readiness_probe: Some(probe(&probes.effective_readiness())),
        volume_mounts: has_config.then(|| vec![config_mount()]),
        ..Container::default()
    }
}

fn pull_policy(policy: PullPolicy) -> &'static str {
    match policy {
        PullPolicy::IfNotPresent => "IfNotPresent",
        PullPolicy::Always => "Always",
        PullPolicy::Never => "Never",
    }
}

/// Port of the metrics, if it is not the one that speaks MCP.
pub(super) fn metrics_port(server: &ValidatedServer) -> Option<i32> {
    let metrics = &server.spec.observability.metrics;
    metrics
        .port
        .filter(|port| metrics.enabled && *port != server.spec.port)
}

fn ports(server: &ValidatedServer) -> Vec<ContainerPort> {
    let port = |name: &str, number| ContainerPort {
        name: Some(name.into()),
        container_port: number,
        // Written out because it is part of the key by which the API server merges ports.
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    };
    let metrics = metrics_port(server).map(|number| port(METRICS_PORT, number));
    [port(PORT, server.spec.port)]
        .into_iter()
        .chain(metrics)
        .collect()
}

fn resources(resources: &api::Resources) -> Option<ResourceRequirements> {
    let quantities = |map: &BTreeMap<String, api::Quantity>| {
        let quantities = map
            .iter()
            .map(|(name, quantity)| (name.clone(), Quantity(quantity.0.clone())));
        Some(quantities.collect()).filter(|map: &BTreeMap<_, _>| !map.is_empty())
    };
    let requirements = ResourceRequirements {
        limits: quantities(&resources.limits),
        requests: quantities(&resources.requests),
        ..ResourceRequirements::default()
    };
    (requirements != ResourceRequirements::default()).then_some(requirements)
}

fn probe(probe: &api::Probe) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: probe.path.clone(),
            port: IntOrString::String(PORT.into()),
            ..HTTPGetAction::default()
        }),
        initial_delay_seconds: probe.initial_delay_seconds,
        period_seconds: probe.period_seconds,
        timeout_seconds: probe.timeout_seconds,
        failure_threshold: probe.failure_threshold,
        ..Probe::default()
    }
}

fn config_mount() -> VolumeMount {
    VolumeMount {
        name: deployment::CONFIG_VOLUME.into(),
        mount_path: CONFIG_FOLDER.into(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

fn non_empty<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}
