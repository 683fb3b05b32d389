//! From an MCPServer to the objects that it becomes.
//!
//! Builders return typed objects and cannot fail: a specification has passed the rules of plugins and [`ValidatedServer::parse`]
//! before. One file for each kind; a kind that the specification does not ask for gives no object.

mod affinity;
mod config_map;
mod container;
mod deployment;
mod environment;
mod external_secret;
mod horizontal_pod_autoscaler;
mod metadata;
mod metadata_addresses;
mod network_policy;
mod pod_disruption_budget;
mod probes;
mod propagated_labels;
mod scheduling;
mod scratch;
mod service;
mod service_account;
mod service_monitor;
mod variable_order;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::manifest::{BuildError, Built, ManagedKind, Manifest, Objects};
use crate::validated_server::{Backend, ValidatedServer};

pub(crate) use config_map::file as config_file;
pub use config_map::variable_name;
pub use external_secret::{SecretObject, secret_objects};
pub(crate) use metadata::own_labels;
pub use metadata::{child_name, selector, service_url};
pub use metadata_addresses::{errors as egress_errors, is_metadata_address};
pub use pod_disruption_budget::withheld as disruption_budget_withheld;
pub(crate) use scheduling::node_selector_errors;
pub use service_account::IAM_ROLE;
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
    /// Namespaces with DNS, to which a NetworkPolicy lets pods out. Empty: to the ports of DNS of every address, since a cluster may
    /// have its DNS on the nodes or outside of itself.
    pub dns_namespaces: Vec<String>,
    /// Store of External Secrets for servers that name none.
    pub secret_store: SecretStoreSettings,
    /// Labels by which Prometheus finds ServiceMonitors.
    pub service_monitor_labels: BTreeMap<String, String>,
    /// Namespace in which Prometheus looks for ServiceMonitors. None: that of each MCPServer.
    pub service_monitor_namespace: Option<String>,
    /// Labels of MCPServers that their objects get too. An entry that ends with `/` is a prefix.
    pub propagated_labels: Vec<String>,
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
            dns_namespaces: Vec::new(),
            secret_store: SecretStoreSettings::default(),
            service_monitor_labels: BTreeMap::from([("release".into(), "kube-prometheus".into())]),
            service_monitor_namespace: None,
            propagated_labels: Vec::new(),
        }
    }
}

/// The objects that an MCPServer becomes, in the order in which they are applied: none where it runs elsewhere.
///
/// # Errors
/// When one of them cannot be written as JSON.
pub fn objects(
    server: &ValidatedServer,
    settings: &Settings,
) -> Result<Objects<Built>, BuildError> {
    let Backend::Workload(image) = &server.backend else {
        return Ok(Objects::built(Vec::new()));
    };
    let deployment = deployment::build(server, image, settings);
    let mut all = Vec::new();
    add(
        &mut all,
        ManagedKind::ServiceAccount,
        [service_account::build(server)],
    )?;
    add(&mut all, ManagedKind::ConfigMap, config_map::build(server))?;
    add(
        &mut all,
        ManagedKind::ExternalSecret,
        external_secret::build(server, settings),
    )?;
    add(&mut all, ManagedKind::Service, [service::build(server)])?;
    add(
        &mut all,
        ManagedKind::PodDisruptionBudget,
        pod_disruption_budget::build(server),
    )?;
    add(
        &mut all,
        ManagedKind::NetworkPolicy,
        network_policy::build(server, settings),
    )?;
    add(
        &mut all,
        ManagedKind::ServiceMonitor,
        service_monitor::build(server, settings),
    )?;
    add(&mut all, ManagedKind::Deployment, [deployment])?;
    add(
        &mut all,
        ManagedKind::HorizontalPodAutoscaler,
        horizontal_pod_autoscaler::build(server),
    )?;
    propagated_labels::add(&mut all, server, settings);
    Ok(Objects::built(all))
}

/// Adds the objects of one kind, however many a specification asks for.
fn add(
    all: &mut Vec<Manifest>,
    kind: ManagedKind,
    objects: impl IntoIterator<Item = impl Serialize>,
) -> Result<(), BuildError> {
    for object in objects {
        all.push(Manifest::new(kind, &object)?);
    }
    Ok(())
}

#[cfg(test)]
#[path = "../build_tests.rs"]
mod tests;
