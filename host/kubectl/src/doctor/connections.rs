//! The connections of plugins: a Service with pods behind it, and a key that may not do everything.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::Finding;
use super::installation::{Found, Installation, place};
use super::plugins::secret_keys;
use crate::tree::serves;

/// Of a Secret whose content was read and forgotten: keys of it that are LiteLLM's own.
pub(super) const MASTER_KEYS: &str = "masterKeys";
/// How the variable of LiteLLM's own key is called, by LiteLLM and by its chart.
const MASTER_KEY: &str = "MASTER_KEY";

/// A connection to a Service of the cluster.
pub(super) struct Connection<'a> {
    pub(super) namespace: &'a str,
    pub(super) service: &'a str,
    plugin: &'a str,
}

/// Those of a plugin whose address is that of a Service: `http://litellm-proxy.litellm.svc:4000`.
pub(super) fn connections(plugin: &Value) -> impl Iterator<Item = Connection<'_>> {
    let connections = plugin["spec"]["connections"].as_array();
    let connections = connections.into_iter().flatten();
    connections.filter_map(|connection| {
        let base_url = connection["baseUrl"].as_str()?;
        let (_, rest) = base_url.split_once("://")?;
        let host = rest.split(['/', ':']).next()?;
        let mut parts = host.split('.');
        let (service, namespace) = (parts.next()?, parts.next()?);
        (parts.next() == Some("svc")).then(|| Connection {
            namespace,
            service,
            plugin: plugin["metadata"]["name"].as_str().unwrap_or_default(),
        })
    })
}

/// Whether a plugin has a connection.
pub(super) fn is_seen(installation: &Installation) -> bool {
    let plugins = installation.list("MCPPlugin", "").unwrap_or_default();
    plugins
        .iter()
        .any(|plugin| connections(plugin).next().is_some() || secret_keys(plugin).next().is_some())
}

pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let plugins = installation.list("MCPPlugin", "").unwrap_or_default();
    let mut findings: Vec<Finding> = plugins
        .iter()
        .flat_map(connections)
        .filter_map(|connection| of_service(&connection, installation))
        .collect();
    let keys = plugins.iter().flat_map(secret_keys);
    findings.extend(keys.filter_map(|(secret, key)| of_key(secret, key, installation)));
    findings
}

fn of_service(connection: &Connection<'_>, installation: &Installation) -> Option<Finding> {
    let Connection {
        namespace,
        service,
        plugin,
    } = connection;
    let at = place("Service", namespace, service);
    match installation.object("Service", namespace, service) {
        Found::Unread => return None,
        Found::Missing => {
            return Some(Finding::wrong(
                at,
                format!("it is not there, and a connection of the MCPPlugin {plugin} leads to it"),
                "install LiteLLM there, or correct baseUrl in spec.connections of the MCPPlugin",
            ));
        }
        Found::There(_) => {}
    }
    let slices = installation.list("EndpointSlice", namespace)?;
    let of_service =
        |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == **service;
    let mut endpoints = slices
        .iter()
        .filter(of_service)
        .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    (!endpoints.any(serves)).then(|| {
        Finding::wrong(
            at,
            format!(
                "no pod serves behind it, and a connection of the MCPPlugin {plugin} leads to it"
            ),
            "the pods of LiteLLM and their log; the selector of the Service",
        )
    })
}

fn of_key(secret: &str, key: &str, installation: &Installation) -> Option<Finding> {
    let namespace = &installation.namespace;
    let found = installation.object("Secret", namespace, secret).there()?;
    let keys = found[MASTER_KEYS].as_array()?;
    keys.iter().any(|it| it == key).then(|| {
        Finding::doubtful(
            place("Secret", namespace, secret),
            format!("its {key} is LiteLLM's master key, which may do everything"),
            "a key of a user of its own, for the routes of MCP servers only (deploy/LITELLM.md)",
        )
    })
}

/// Secrets of a namespace that hold LiteLLM's own key, and the keys in them.
pub(super) fn master_key_secrets(deployment: &Value) -> impl Iterator<Item = (&str, &str)> {
    environment(deployment).filter_map(|variable| {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        Some((reference["name"].as_str()?, reference["key"].as_str()?))
    })
}

/// Keys of a Secret with the value of LiteLLM's own, of which `known` are in Secrets.
pub(super) fn master_keys(secret: &Value, deployments: &[Value], known: &[String]) -> Vec<String> {
    let written = deployments
        .iter()
        .flat_map(environment)
        .filter_map(|variable| variable["value"].as_str());
    let own: Vec<String> = written
        .map(|value| BASE64_STANDARD.encode(value))
        .chain(known.iter().cloned())
        .filter(|value| !value.is_empty())
        .collect();
    let data = secret["data"].as_object().into_iter().flatten();
    data.filter(|(_, value)| {
        value
            .as_str()
            .is_some_and(|it| own.iter().any(|own| own == it))
    })
    .map(|(key, _)| key.clone())
    .collect()
}

/// Variables that hold LiteLLM's own key.
fn environment(deployment: &Value) -> impl Iterator<Item = &Value> {
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array();
    let containers = containers.into_iter().flatten();
    let variables =
        containers.flat_map(|container| container["env"].as_array().into_iter().flatten());
    variables.filter(|variable| {
        let name = variable["name"].as_str();
        name.is_some_and(|name| name.ends_with(MASTER_KEY))
    })
}
