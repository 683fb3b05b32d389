//! ServiceMonitor: asks Prometheus to scrape the pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Serialize;

use super::Settings;
use super::container::{METRICS_PORT, PORT, metrics_port};
use super::metadata::{
    child_name, label_selector, name_elsewhere, object_meta, object_meta_elsewhere,
};
use crate::manifest::ManagedKind;
use crate::server_key::ServerKey;
use crate::validated_server::ValidatedServer;

/// Namespace and name of a server's ServiceMonitor.
pub fn place(server: &ServerKey, settings: &Settings) -> (String, String) {
    match elsewhere(server, settings) {
        Some(elsewhere) => (elsewhere.to_owned(), name_elsewhere(server)),
        None => (server.namespace.clone(), child_name(&server.name)),
    }
}

pub(super) fn build(server: &ValidatedServer, settings: &Settings) -> Option<ServiceMonitor> {
    let metrics = &server.spec.observability.metrics;
    if !metrics.enabled {
        return None;
    }
    let resource = ManagedKind::ServiceMonitor.api_resource();
    let is_elsewhere = elsewhere(&server.key, settings).is_some();
    Some(ServiceMonitor {
        api_version: resource.api_version,
        kind: resource.kind,
        metadata: metadata(server, settings),
        spec: ServiceMonitorSpec {
            selector: label_selector(server),
            endpoints: vec![Endpoint {
                port: metrics_port(server).map_or(PORT, |_| METRICS_PORT),
                path: metrics.path.clone(),
                interval: metrics.interval.clone(),
            }],
            namespace_selector: is_elsewhere.then(|| NamespaceSelector {
                match_names: vec![server.key.namespace.clone()],
            }),
        },
    })
}

fn metadata(server: &ValidatedServer, settings: &Settings) -> ObjectMeta {
    let mut metadata = match elsewhere(&server.key, settings) {
        Some(elsewhere) => object_meta_elsewhere(server, elsewhere),
        None => object_meta(server),
    };
    if let Some(labels) = &mut metadata.labels {
        labels.extend(settings.service_monitor_labels.clone());
    }
    metadata
}

/// The namespace of ServiceMonitors, if it is not the server's own.
fn elsewhere<'a>(server: &ServerKey, settings: &'a Settings) -> Option<&'a str> {
    let namespace = settings.service_monitor_namespace.as_deref()?;
    (namespace != server.namespace).then_some(namespace)
}

/// What the operator writes of a ServiceMonitor, of which no Rust type is published.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceMonitor {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: ServiceMonitorSpec,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceMonitorSpec {
    selector: LabelSelector,
    endpoints: Vec<Endpoint>,
    /// Without it, Services in the ServiceMonitor's own namespace are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace_selector: Option<NamespaceSelector>,
}

#[derive(Clone, Debug, Serialize)]
struct Endpoint {
    port: &'static str,
    path: String,
    interval: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NamespaceSelector {
    match_names: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn server(namespace: &str, name: &str) -> ValidatedServer {
        let server = serde_json::from_value(json!({
            "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
            "metadata": {
                "name": name, "namespace": namespace, "uid": "8f2b",
                "labels": { "team": "platform", "mcp.litellm.ai/server-namespace": "forged" },
            },
            "spec": {
                "image": { "repository": "ghcr.io/acme/mcp-github", "tag": "1.0.0" },
                "observability": { "metrics": { "enabled": true } },
            },
        }))
        .unwrap();
        ValidatedServer::parse(&server).unwrap()
    }

    fn settings(namespace: Option<&str>) -> Settings {
        Settings {
            service_monitor_namespace: namespace.map(str::to_owned),
            ..Settings::default()
        }
    }

    fn built(server: &ValidatedServer, namespace: Option<&str>) -> Value {
        serde_json::to_value(build(server, &settings(namespace)).unwrap()).unwrap()
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
    fn its_name_is_unique_over_all_namespaces_and_short_enough() {
        let monitoring = settings(Some("monitoring"));
        let name =
            |namespace: &str, name: &str| place(&ServerKey::new(namespace, name), &monitoring).1;
        assert_ne!(name("a-b", "c"), name("a", "b-c"));
        assert_ne!(name("tools", "github"), name("monitoring", "github"));
        assert!(name(&"a".repeat(63), &"b".repeat(50)).len() <= 253);
    }

    #[test]
    fn it_is_looked_for_where_it_is_made() {
        for namespace in [None, Some("tools"), Some("monitoring")] {
            let server = server("tools", "github");
            let made = built(&server, namespace);
            let (namespace, name) = place(&server.key, &settings(namespace));
            assert_eq!(made["metadata"]["namespace"], namespace);
            assert_eq!(made["metadata"]["name"], name);
        }
    }
}
