//! HorizontalPodAutoscaler: the number of pods, by load.

use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
};
use mcp_operator_api::v1alpha1::Autoscaling;

use super::container;
use super::metadata::{child_name, object_meta};
use crate::validated_server::ValidatedServer;

/// Target of the CPU utilization where the specification names neither CPU nor memory, in percent of the requests.
const DEFAULT_CPU: i32 = 80;

pub(super) fn build(server: &ValidatedServer) -> Option<HorizontalPodAutoscaler> {
    let scaling = server.spec.autoscaling.as_ref()?;
    let spec = HorizontalPodAutoscalerSpec {
        min_replicas: Some(scaling.min_replicas),
        max_replicas: scaling.max_replicas,
        metrics: Some(metrics(scaling)),
        scale_target_ref: CrossVersionObjectReference {
            api_version: Some("apps/v1".into()),
            kind: "Deployment".into(),
            name: child_name(&server.key.name),
        },
        ..HorizontalPodAutoscalerSpec::default()
    };
    Some(HorizontalPodAutoscaler {
        metadata: object_meta(server),
        spec: Some(spec),
        status: None,
    })
}

/// Of the server's own container: of the pod as a whole there is no measure where another container, such as the sidecar
/// of a mesh, has no requests.
fn metrics(scaling: &Autoscaling) -> Vec<MetricSpec> {
    let memory = scaling.target_memory_utilization_percentage;
    let cpu = scaling
        .target_cpu_utilization_percentage
        .or(memory.is_none().then_some(DEFAULT_CPU));
    let resource = |name: &str, percentage: Option<i32>| {
        let target = MetricTarget {
            type_: "Utilization".into(),
            average_utilization: Some(percentage?),
            ..MetricTarget::default()
        };
        let resource = ContainerResourceMetricSource {
            container: container::NAME.into(),
            name: name.into(),
            target,
        };
        Some(MetricSpec {
            type_: "ContainerResource".into(),
            container_resource: Some(resource),
            ..MetricSpec::default()
        })
    };
    [resource("cpu", cpu), resource("memory", memory)]
        .into_iter()
        .flatten()
        .collect()
}
