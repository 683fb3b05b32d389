//! Helpers for the tests of a plugin, which run natively, without a WebAssembly host.
//!
//! ```
//! use mcp_plugin_sdk::testing;
//! let server = testing::server(serde_json::json!({ "image": { "repository": "ghcr.io/acme/mcp" } }));
//! assert_eq!(server.spec.port, 8080);
//! ```

#[cfg(feature = "proptest")]
mod strategies;

use serde_json::{Value, json};

#[cfg(feature = "proptest")]
pub use self::strategies::any_servers;
use crate::{
    Defaulter, DefaultingRequest, McpServer, NamedJson, Object, Request, Server, Stage, settings,
};

/// A server `default/test` with this `spec`, completed by the defaults of the API.
///
/// # Panics
/// When it is not the `spec` of an MCPServer.
pub fn server(spec: Value) -> McpServer {
    object(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "test", "namespace": "default" }, "spec": spec,
    }))
}

/// A server from a complete manifest.
///
/// # Panics
/// When it is not an MCPServer.
#[expect(clippy::panic, reason = "for tests only")]
pub fn object(manifest: Value) -> McpServer {
    serde_json::from_value(manifest).unwrap_or_else(|error| panic!("no MCPServer: {error}"))
}

/// Settings from the value of `MCPPlugin.spec.settings`.
///
/// # Panics
/// When they cannot be parsed.
#[expect(clippy::panic, reason = "for tests only")]
pub fn settings<T: serde::de::DeserializeOwned>(value: Value) -> T {
    settings::parse(&value.to_string())
        .unwrap_or_else(|finding| panic!("{}: {}", finding.field, finding.message))
}

/// The object after the plugin completed it, if it is [concerned](Defaulter::is_concerned).
pub fn complete<P: Defaulter>(
    settings: &P::Settings,
    object: Value,
    server: McpServer,
    stage: Stage,
) -> Value {
    let mut object = Object::new(object);
    let request = defaulting_request(server, stage);
    if P::is_concerned(settings, stage) {
        P::complete(settings, &mut object, &request);
    }
    object.value().clone()
}

/// A request to complete objects of this server, without values of context.
pub fn defaulting_request(server: McpServer, stage: Stage) -> DefaultingRequest {
    DefaultingRequest {
        stage,
        server,
        context: std::collections::BTreeMap::default(),
    }
}

/// A server as a registrar gets it, created at the beginning of 2026.
pub fn registrable(namespace: &str, name: &str) -> Server {
    Server {
        namespace: namespace.into(),
        name: name.into(),
        uid: format!("uid of {namespace}/{name}"),
        created: "2026-01-01T00:00:00Z".into(),
        labels: vec![("team".into(), "platform".into())],
        url: format!("http://mcp-{name}.{namespace}.svc.cluster.local:8080/mcp"),
        transport: "http".into(),
        description: format!("Auto-registered from MCPServer/{name}"),
        access_groups: Vec::new(),
        allowed_tools: None,
        extra: Vec::new(),
    }
}

/// [`registrable`] with another creation time, such as `2026-01-01T00:00:00Z`.
pub fn registrable_since(namespace: &str, name: &str, created: &str) -> Server {
    Server {
        created: created.into(),
        ..registrable(namespace, name)
    }
}

/// An item of the field `extra` of [`Server`]; `json` is its value.
pub fn extra(name: &str, json: &str) -> NamedJson {
    NamedJson {
        name: name.into(),
        value: json.into(),
    }
}

/// A request about a server in this namespace, `{"name": .., "labels": {..}, "annotations": {..}}`, for a plugin that asked
/// for the context `namespace`.
pub fn request_in(namespace: Value) -> Request {
    Request {
        context: [("namespace".to_owned(), namespace.to_string())].into(),
        ..Request::default()
    }
}

/// A request about a whole object, for a plugin that reads what [`McpServer`] does not have; `context` are the values that
/// it asked for, by name.
pub fn request_about(
    object: &Value,
    old_object: Option<&Value>,
    context: &[(&str, Value)],
) -> Request {
    Request {
        object: object.to_string(),
        old_object: old_object.map(Value::to_string),
        context: context
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.to_string()))
            .collect(),
        ..Request::default()
    }
}
