//! The container of an MCP server.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerPort, ResourceRequirements, VolumeMount};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use mcp_operator_api::v1alpha1::{self as api, PullPolicy};

use super::{Settings, deployment, environment, probes, scratch};
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
    let mounts = has_config.then(config_mount).into_iter();
    let mut container = Container {
        name: NAME.into(),
        image: Some(image.reference()),
        image_pull_policy: Some(pull_policy(image.pull_policy).into()),
        command: non_empty(&spec.command),
        args: non_empty(&spec.args),
        env: Some(environment::build(server, settings)).filter(|variables| !variables.is_empty()),
        ports: Some(ports(server)),
        resources: resources(&spec.resources),
        // What a program says as it ends is told in the conditions.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        volume_mounts: some(mounts.chain(scratch::mounts(&spec.empty_dirs))),
        ..Container::default()
    };
    probes::add(&mut container, &spec.observability.health_probes);
    container
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

/// A list that is left out where it is empty.
pub(super) fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    Some(items.collect()).filter(|items: &Vec<_>| !items.is_empty())
}
