//! ServiceMonitor: Prometheus scrapes the pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use mcp_operator_api::v1alpha1::McpServer;
use serde_json::json;

use super::Settings;
use super::container::{METRICS_PORT, PORT, metrics_port};
use super::metadata::{
    child_name, name_elsewhere, namespace, object_meta, object_meta_elsewhere, selector,
};
use crate::manifest::{ManagedKind, Manifest};

/// Namespace and name of a server's ServiceMonitor.
pub fn place(server: &McpServer, settings: &Settings) -> (String, String) {
    match elsewhere(server, settings) {
        Some(elsewhere) => (elsewhere.to_owned(), name_elsewhere(server)),
        None => (namespace(server), child_name(&server.name_any())),
    }
}

pub(super) fn build(server: &McpServer, settings: &Settings) -> Option<Manifest> {
    let metrics = &server.spec.observability.metrics;
    if !metrics.enabled {
        return None;
    }
    let port = metrics_port(server).map_or(PORT, |_| METRICS_PORT);
    let resource = ManagedKind::ServiceMonitor.api_resource();
    let mut object = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata(server, settings),
        "spec": {
            "selector": { "matchLabels": selector(server) },
            "endpoints": [{ "port": port, "path": metrics.path, "interval": metrics.interval }],
        },
    });
    // Without it, Services of the ServiceMonitor's own namespace are meant.
    if elsewhere(server, settings).is_some() {
        object["spec"]["namespaceSelector"] = json!({ "matchNames": [namespace(server)] });
    }
    Some(Manifest::new(ManagedKind::ServiceMonitor, object))
}

fn metadata(server: &McpServer, settings: &Settings) -> ObjectMeta {
    let mut metadata = match elsewhere(server, settings) {
        Some(elsewhere) => object_meta_elsewhere(server, elsewhere),
        None => object_meta(server),
    };
    if let Some(labels) = &mut metadata.labels {
        labels.extend(settings.service_monitor_labels.clone());
    }
    metadata
}

/// The namespace of ServiceMonitors, if it is not the server's own.
fn elsewhere<'a>(server: &McpServer, settings: &'a Settings) -> Option<&'a str> {
    let wanted = settings.service_monitor_namespace.as_deref()?;
    (wanted != namespace(server)).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn server(namespace: &str, name: &str) -> McpServer {
        serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": {
                "name": name, "namespace": namespace, "uid": "8f2b",
                "labels": { "team": "platform", "mcp.litellm.ai/server-namespace": "forged" },
            },
            "spec": { "image": { "repository": "ghcr.io/acme/mcp-github", "tag": "1.0.0" } },
        }))
        .unwrap()
    }

    fn settings(namespace: Option<&str>) -> Settings {
        Settings {
            service_monitor_namespace: namespace.map(str::to_owned),
            ..Settings::default()
        }
    }

    fn built(server: &McpServer, namespace: Option<&str>) -> Value {
        build(server, &settings(namespace)).unwrap().object
    }

    #[test]
    fn in_another_namespace_it_names_its_server() {
        let made = built(&server("tools", "github"), Some("monitoring"));
        insta::assert_yaml_snapshot!(made);
    }

    #[test]
    fn in_the_servers_own_namespace_it_has_an_owner() {
        let server = server("tools", "github");
        let made = built(&server, None);
        assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "8f2b");
        assert!(made["spec"]["namespaceSelector"].is_null());
        assert_eq!(built(&server, Some("tools")), made);
    }

    #[test]
    fn its_name_is_the_only_one_of_all_namespaces_and_short_enough() {
        let monitoring = settings(Some("monitoring"));
        let name = |namespace: &str, name: &str| place(&server(namespace, name), &monitoring).1;
        assert_ne!(name("a-b", "c"), name("a", "b-c"));
        assert_ne!(name("tools", "github"), name("monitoring", "github"));
        assert!(name(&"a".repeat(63), &"b".repeat(50)).len() <= 253);
    }

    #[test]
    fn it_is_looked_for_where_it_is_made() {
        for namespace in [None, Some("tools"), Some("monitoring")] {
            let server = server("tools", "github");
            let made = build(&server, &settings(namespace)).unwrap();
            let (namespace, name) = place(&server, &settings(namespace));
            assert_eq!((made.namespace(), made.name()), (&*namespace, &*name));
        }
    }
}
