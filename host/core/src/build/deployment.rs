//! Deployment: the pods. Security contexts and further labels are the compliance plugin's.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, KeyToPath, LocalObjectReference, PodSpec, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use mcp_operator_api::names::annotations::CONFIG_HASH;
use mcp_operator_api::v1alpha1::{McpServer, Spread};

use super::metadata::{all_labels, child_name, object_meta, selector};
use super::{Settings, affinity, config_map, container};
use crate::manifest::{ManagedKind, Manifest};

pub(super) const CONFIG_VOLUME: &str = "config";

pub(super) fn build(
    server: &McpServer,
    config: Option<&Manifest>,
    settings: &Settings,
) -> Manifest {
    let spec = DeploymentSpec {
        // A HorizontalPodAutoscaler owns the number where there is one.
        replicas: server
            .spec
            .autoscaling
            .is_none()
            .then_some(server.spec.replicas),
        selector: LabelSelector {
            match_labels: Some(selector(server)),
            ..LabelSelector::default()
        },
        strategy: Some(strategy(server)),
        template: template(server, config, settings),
        ..DeploymentSpec::default()
    };
    let deployment = Deployment {
        metadata: object_meta(server),
        spec: Some(spec),
        status: None,
    };
    Manifest::new(ManagedKind::Deployment, deployment)
}

/// No pod goes before its successor serves; only where pods must not share a node may one go first,
/// since its successor might find no other node.
fn strategy(server: &McpServer) -> DeploymentStrategy {
    let crowded = server.spec.affinity.pod_anti_affinity == Spread::Required;
    DeploymentStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(i32::from(crowded))),
        }),
    }
}

fn template(server: &McpServer, config: Option<&Manifest>, settings: &Settings) -> PodTemplateSpec {
    let annotations =
        config.map(|map| BTreeMap::from([(CONFIG_HASH.to_owned(), config_map::hash(map))]));
    let metadata = ObjectMeta {
        labels: Some(all_labels(server)),
        annotations,
        ..ObjectMeta::default()
    };
    PodTemplateSpec {
        metadata: Some(metadata),
        spec: Some(pod(server, config.is_some(), settings)),
    }
}

fn pod(server: &McpServer, has_config: bool, settings: &Settings) -> PodSpec {
    let spec = &server.spec;
    let pull_secrets = spec
        .image_pull_secrets
        .iter()
        .map(|secret| LocalObjectReference {
            name: secret.name.clone(),
        });
    PodSpec {
        service_account_name: Some(child_name(&server.name_any())),
        image_pull_secrets: Some(pull_secrets.collect())
            .filter(|secrets: &Vec<_>| !secrets.is_empty()),
        affinity: affinity::nodes(server),
        topology_spread_constraints: affinity::zones(server),
        termination_grace_period_seconds: Some(spec.termination_grace_period_seconds),
        containers: vec![container::build(server, has_config, settings)],
        volumes: has_config.then(|| vec![config_volume(server)]),
        ..PodSpec::default()
    }
}

fn config_volume(server: &McpServer) -> Volume {
    let file = KeyToPath {
        key: config_map::FILE.into(),
        path: config_map::FILE.into(),
        mode: None,
    };
    let source = ConfigMapVolumeSource {
        name: child_name(&server.name_any()),
        items: Some(vec![file]),
        ..ConfigMapVolumeSource::default()
    };
    Volume {
        name: CONFIG_VOLUME.into(),
        config_map: Some(source),
        ..Volume::default()
    }
}
