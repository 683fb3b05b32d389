//! ServiceMonitor: Prometheus scrapes the pods.

use mcp_operator_api::v1alpha1::McpServer;
use serde_json::json;

use super::Settings;
use super::container::{METRICS_PORT, PORT, metrics_port};
use super::metadata::{object_meta, selector};
use crate::manifest::{ManagedKind, Manifest};

/// In the server's own namespace: an owner reference does not reach into another.
pub(super) fn build(server: &McpServer, settings: &Settings) -> Option<Manifest> {
    let metrics = &server.spec.observability.metrics;
    if !metrics.enabled {
        return None;
    }
    let mut metadata = object_meta(server);
    if let Some(labels) = &mut metadata.labels {
        labels.extend(settings.service_monitor_labels.clone());
    }
    let port = metrics_port(server).map_or(PORT, |_| METRICS_PORT);
    let resource = ManagedKind::ServiceMonitor.api_resource();
    let object = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        "spec": {
            "selector": { "matchLabels": selector(server) },
            "endpoints": [{ "port": port, "path": metrics.path, "interval": metrics.interval }],
        },
    });
    Some(Manifest::new(ManagedKind::ServiceMonitor, object))
}
