//! The steps of a reconcile, and the whole controller, on an API server in memory: by topic, with what the topics share
//! here and in [`world`].

mod admission;
mod adopting;
mod adoption;
mod applying;
mod caches;
mod creation;
mod drift;
mod edits;
mod failures;
mod hash_key;
mod identity;
mod large_servers;
mod older_templates;
mod optional_apis;
mod orphans;
mod owner_deletion;
mod pruning;
mod relocation;
mod replicas;
mod reports;
mod running;
mod running_trouble;
mod single_namespaces;
mod status;
mod status_causes;
mod taking_back;
mod unavailable;
mod world;

use std::time::Duration;

use mcp_operator_api::names::conditions;
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_core::build;
use mcp_operator_core::manifest::ManagedKind;
use mcp_operator_core::server_key::ServerKey;
use mcp_operator_policy::{Snapshot, Snapshots};
use mcp_testkit::objects::{custom_resource_definition, mcp_server_with, namespace};
use mcp_testkit::workloads::deployment_rolled_out;
use mcp_testkit::{ApiServer, Match, Verb};
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use self::world::World;
use crate::error::ReconcileError;
use crate::reconcile::Progress;

const NAMESPACE: &str = "tools";
const NAME: &str = "weather";
/// Name of the server's objects.
const CHILD: &str = "mcp-weather";
const CONCURRENCY: u16 = 4;
const IDENTITY_DELAY: Duration = Duration::from_secs(3);
/// Namespace of the operator.
const OPERATOR_NAMESPACE: &str = "mcp-operator-system";

/// Settings with which ServiceMonitors are in another namespace than their servers.
fn monitored_elsewhere() -> build::Settings {
    build::Settings {
        service_monitor_namespace: Some("monitoring".into()),
        ..build::Settings::default()
    }
}

/// An API server with all optional APIs.
fn api_server() -> ApiServer {
    let api = ApiServer::new();
    for name in [NAMESPACE, "monitoring", OPERATOR_NAMESPACE] {
        api.put(namespace(name, &[]));
    }
    let optional = ManagedKind::iter().filter(|kind| kind.is_optional());
    optional.for_each(|kind| install(&api, kind));
    api
}

/// Installs the API of an optional kind.
fn install(api: &ApiServer, kind: ManagedKind) {
    api.serve(kind.name());
    api.put(custom_resource_definition(&kind.api_resource()));
}

/// Removes the API of an optional kind, with its objects.
fn uninstall(api: &ApiServer, kind: ManagedKind) {
    let resource = kind.api_resource();
    let name = format!("{}.{}", resource.plural, resource.group);
    api.delete("CustomResourceDefinition", "", &name);
    api.withdraw(kind.name());
}

/// A specification that asks for an object of every kind.
fn everything() -> Value {
    json!({
        "replicas": 3,
        "config": { "city": "Bern" },
        "secrets": [{ "name": "token", "awsSecretKey": "mcp/token" }],
        "autoscaling": { "minReplicas": 2, "maxReplicas": 5 },
        "networkPolicy": { "enabled": true },
        "observability": { "metrics": { "enabled": true } },
        "litellm": { "autoRegister": false },
    })
}

/// A specification that asks for what every server has: a ServiceAccount, a Service and a Deployment.
fn little() -> Value {
    json!({
        "podDisruptionBudget": { "enabled": false },
        "litellm": { "autoRegister": false },
    })
}

/// Namespace and name of the one object of a kind that [`everything`] asks for.
fn place(kind: ManagedKind) -> (&'static str, &'static str) {
    let name = match kind {
        ManagedKind::ConfigMap => "mcp-weather-1375e0d9",
        ManagedKind::ExternalSecret => "mcp-weather-secrets",
        _ => CHILD,
    };
    (NAMESPACE, name)
}

/// Who writes what the controller has to put up with.
fn rename_instance(object: &mut Value) {
    object["metadata"]["labels"]["app.kubernetes.io/instance"] = json!("changed");
}

/// Applies of a kind.
fn applies(kind: ManagedKind) -> Match {
    Match::verb(Verb::Apply).kind(kind.name()).subresource("")
}

fn deletions(kind: ManagedKind) -> Match {
    Match::verb(Verb::Delete).kind(kind.name())
}

fn writes_of_status() -> Match {
    Match::verb(Verb::Apply)
        .kind("MCPServer")
        .subresource("status")
}
