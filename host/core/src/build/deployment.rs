//! Deployment: the pods. Security contexts and further labels are added by the compliance plugin.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, KeyToPath, LocalObjectReference, PodSpec, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mcp_operator_api::names::annotations::IAM_ROLE;
use mcp_operator_api::v1alpha1::{Image, Spread};

use super::metadata::{child_name, label_selector, object_meta, own_labels};
use super::{Settings, affinity, config_map, container};
use crate::validated_server::ValidatedServer;

pub(super) const CONFIG_VOLUME: &str = "config";

pub(super) fn build(server: &ValidatedServer, image: &Image, settings: &Settings) -> Deployment {
    let spec = DeploymentSpec {
        // Where there is a HorizontalPodAutoscaler, the field is its own.
        replicas: server
            .spec
            .autoscaling
            .is_none()
            .then_some(server.spec.replicas),
        selector: label_selector(server),
        strategy: Some(strategy(server)),
        template: template(server, image, settings),
        ..DeploymentSpec::default()
    };
    Deployment {
        metadata: object_meta(server),
        spec: Some(spec),
        status: None,
    }
}

/// No pod is stopped before its successor serves. Only where pods must not share a node may one be stopped first, since
/// its successor might find no other node.
fn strategy(server: &ValidatedServer) -> DeploymentStrategy {
    let needs_free_node = server.spec.affinity.pod_anti_affinity == Spread::Required;
    DeploymentStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(i32::from(needs_free_node))),
        }),
    }
}

fn template(server: &ValidatedServer, image: &Image, settings: &Settings) -> PodTemplateSpec {
    // What pods have of their ServiceAccount they get when they are made: another role needs other pods.
    let aws = server.spec.aws.as_ref();
    let role = aws.and_then(|aws| Some((IAM_ROLE.to_owned(), aws.iam_role.clone()?)));
    let metadata = ObjectMeta {
        labels: Some(own_labels(&server.key.name)),
        annotations: role.map(|role| BTreeMap::from([role])),
        ..ObjectMeta::default()
    };
    PodTemplateSpec {
        metadata: Some(metadata),
        spec: Some(pod(server, image, settings)),
    }
}

fn pod(server: &ValidatedServer, image: &Image, settings: &Settings) -> PodSpec {
    let (spec, config) = (&server.spec, config_map::name(server));
    let pull_secrets = spec
        .image_pull_secrets
        .iter()
        .map(|secret| LocalObjectReference {
            name: secret.name.clone(),
        });
    PodSpec {
        service_account_name: Some(child_name(&server.key.name)),
        // Seven variables for each Service of the namespace, among them such as MCP_SERVER_PORT.
        enable_service_links: Some(false),
        image_pull_secrets: Some(pull_secrets.collect())
            .filter(|secrets: &Vec<_>| !secrets.is_empty()),
        affinity: affinity::node_anti_affinity(server),
        topology_spread_constraints: affinity::zone_spread(server),
        termination_grace_period_seconds: Some(spec.termination_grace_period_seconds),
        containers: vec![container::build(server, image, config.is_some(), settings)],
        volumes: config.map(|name| vec![config_volume(name)]),
        ..PodSpec::default()
    }
}

fn config_volume(config_map: String) -> Volume {
    let file = KeyToPath {
        key: config_map::FILE.into(),
        path: config_map::FILE.into(),
        mode: None,
    };
    let source = ConfigMapVolumeSource {
        name: config_map,
        items: Some(vec![file]),
        ..ConfigMapVolumeSource::default()
    };
    Volume {
        name: CONFIG_VOLUME.into(),
        config_map: Some(source),
        ..Volume::default()
    }
}
