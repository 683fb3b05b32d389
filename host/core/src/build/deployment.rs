//! Deployment: the pods. Security contexts and further labels are added by the compliance plugin.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, KeyToPath, LocalObjectReference, PodSpec, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use mcp_operator_api::names::annotations::IAM_ROLE;
use mcp_operator_api::v1alpha1::Image;

use super::metadata::{child_name, label_selector, object_meta, own_labels};
use super::{Settings, affinity, config_map, container, scheduling, scratch};
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
        strategy: Some(scheduling::strategy(&server.spec)),
        template: template(server, image, settings),
        ..DeploymentSpec::default()
    };
    Deployment {
        metadata: object_meta(server),
        spec: Some(spec),
        status: None,
    }
}

fn template(server: &ValidatedServer, image: &Image, settings: &Settings) -> PodTemplateSpec {
    // What pods have of their ServiceAccount they get when they are made: another role needs other pods.
    let aws = server.spec.aws.as_ref();
    let role = aws.and_then(|aws| Some((IAM_ROLE.to_owned(), aws.iam_role.clone()?)));
    let evict = scratch::safe_to_evict(&server.spec.empty_dirs);
    let annotations: BTreeMap<_, _> = role
        .into_iter()
        .chain([(scratch::SAFE_TO_EVICT.to_owned(), evict)])
        .collect();
    let metadata = ObjectMeta {
        labels: Some(own_labels(&server.key.name)),
        annotations: Some(annotations),
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
        service_account_name: Some(
            spec.service_account_name
                .clone()
                .unwrap_or_else(|| child_name(&server.key.name)),
        ),
        // Said here too, since an account of one's own may give its token to all pods.
        automount_service_account_token: Some(spec.automount_service_account_token),
        security_context: scheduling::security_context(spec),
        node_selector: (!spec.node_selector.is_empty()).then(|| spec.node_selector.clone()),
        tolerations: scheduling::tolerations(spec),
        runtime_class_name: spec.runtime_class_name.clone(),
        priority_class_name: spec.priority_class_name.clone(),
        // Seven variables for each Service of the namespace, among them such as MCP_SERVER_PORT.
        enable_service_links: Some(false),
        image_pull_secrets: Some(pull_secrets.collect())
            .filter(|secrets: &Vec<_>| !secrets.is_empty()),
        affinity: affinity::node_anti_affinity(server),
        topology_spread_constraints: affinity::zone_spread(server),
        termination_grace_period_seconds: Some(spec.termination_grace_period_seconds),
        containers: vec![container::build(server, image, config.is_some(), settings)],
        volumes: container::some(
            config
                .map(config_volume)
                .into_iter()
                .chain(scratch::volumes(&spec.empty_dirs)),
        ),
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
