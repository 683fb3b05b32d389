//! From an MCPServer to the objects that it becomes. Pure and infallible: what could be wrong with
//! a specification is said before, by rules.
//!
//! One file for each kind. Objects that are not wanted are simply not in the result.

mod affinity;
mod config_map;
mod container;
mod deployment;
mod environment;
mod horizontal_pod_autoscaler;
mod metadata;
mod network_policy;
mod pod_disruption_budget;
mod service;
mod service_account;

use mcp_operator_api::v1alpha1::McpServer;

use crate::manifest::Manifest;

pub use metadata::{child_name, selector, service_url};

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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cluster_domain: "cluster.local".into(),
            tracing_endpoint: None,
            gateway_namespaces: vec!["litellm".into()],
            monitoring_namespaces: vec!["monitoring".into()],
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
        Some(deployment),
    ]
    .into_iter()
    .flatten()
    .collect();
    objects.sort_by_key(|manifest| manifest.kind);
    objects
}

#[cfg(test)]
#[path = "../build_tests.rs"]
mod tests;
