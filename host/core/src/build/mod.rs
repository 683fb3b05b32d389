//! From an MCPServer to the objects that it becomes. Pure and infallible: what could be wrong with
//! a specification is said before, by rules, or by [`config_errors`].
//!
//! One file for each kind. Objects that are not wanted are simply not in the result.

mod affinity;
mod authority;
mod config_map;
mod container;
mod deployment;
mod environment;
mod external_secret;
mod horizontal_pod_autoscaler;
mod metadata;
mod network_policy;
mod pod_disruption_budget;
mod service;
mod service_account;
mod service_monitor;

use std::collections::BTreeMap;

use mcp_operator_api::v1alpha1::McpServer;

use crate::manifest::Manifest;

pub use config_map::errors as config_errors;
pub use external_secret::{SecretObject, secret_objects};
pub use metadata::{child_name, selector, service_url};
pub use pod_disruption_budget::withheld as disruption_budget_withheld;
pub use service_monitor::place as service_monitor_place;

/// What the operator's administrator decides for all servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// DNS domain of the cluster: `cluster.local`.
    pub cluster_domain: String,
    /// OTLP endpoint for servers that trace and name none.
    pub tracing_endpoint: Option<String>,
    /// Namespaces of gateways that call MCP servers: a NetworkPolicy lets them in.
    pub gateway_namespaces: Vec<String>,
    /// Namespaces that scrape metrics: a NetworkPolicy lets them in.
    pub monitoring_namespaces: Vec<String>,
    /// Store of External Secrets for servers that name none.
    pub secret_store: SecretStoreSettings,
    /// Labels by which Prometheus finds ServiceMonitors.
    pub service_monitor_labels: BTreeMap<String, String>,
    /// Namespace in which Prometheus looks for ServiceMonitors. None: that of each MCPServer.
    pub service_monitor_namespace: Option<String>,
}

/// Where secrets come from, if an MCPServer does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretStoreSettings {
    /// Name of the store.
    pub name: String,
    /// `ClusterSecretStore` or `SecretStore`.
    pub kind: String,
    /// How often the store is asked: `1h`.
    pub refresh_interval: String,
}

impl Default for SecretStoreSettings {
    fn default() -> Self {
        Self {
            name: "aws-secrets-manager".into(),
            kind: "ClusterSecretStore".into(),
            refresh_interval: "1h".into(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cluster_domain: "cluster.local".into(),
            tracing_endpoint: None,
            gateway_namespaces: vec!["litellm".into()],
            monitoring_namespaces: vec!["monitoring".into()],
            secret_store: SecretStoreSettings::default(),
            service_monitor_labels: BTreeMap::from([("release".into(), "kube-prometheus".into())]),
            service_monitor_namespace: None,
        }
    }
}

/// The objects that an MCPServer becomes, in the order in which they are applied.
pub fn objects(server: &McpServer, settings: &Settings) -> Vec<Manifest> {
    let config = config_map::build(server);
    let deployment = deployment::build(server, config.as_ref(), settings);
    let mut objects: Vec<Manifest> = [
        Some(service_account::build(server)),
        config,
        Some(service::build(server)),
        pod_disruption_budget::build(server),
        horizontal_pod_autoscaler::build(server),
        network_policy::build(server, settings),
        service_monitor::build(server, settings),
        Some(deployment),
    ]
    .into_iter()
    .flatten()
    .chain(external_secret::build(server, settings))
    .collect();
    objects.sort_by_key(|manifest| manifest.kind);
    objects
}

#[cfg(test)]
#[path = "../build_tests.rs"]
mod tests;
