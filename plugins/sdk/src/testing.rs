//! For an author's own tests: they run natively, without a WebAssembly host.
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
use crate::{Defaulter, DefaultingRequest, McpServer, NamedJson, Object, Server, Stage, settings};

/// A server of the given specification, with the defaults of the API filled in.
///
/// # Panics
/// When it is no specification of an MCPServer.
pub fn server(spec: Value) -> McpServer {
    object(json!({
        "apiVersion": "mcp.litellm.ai/v1alpha1", "kind": "MCPServer",
        "metadata": { "name": "test", "namespace": "default" }, "spec": spec,
    }))
}

/// A server from a whole manifest.
///
/// # Panics
/// When it is no MCPServer.
#[expect(clippy::panic, reason = "for tests only")]
pub fn object(manifest: Value) -> McpServer {
    serde_json::from_value(manifest).unwrap_or_else(|error| panic!("no MCPServer: {error}"))
}

/// Settings as an MCPPlugin would give them.
///
/// # Panics
/// When the plugin would refuse them.
#[expect(clippy::panic, reason = "for tests only")]
pub fn settings<T: serde::de::DeserializeOwned>(value: Value) -> T {
    settings::parse(&value.to_string())
        .unwrap_or_else(|finding| panic!("{}: {}", finding.field, finding.message))
}

/// An object after a plugin completed it.
pub fn complete<P: Defaulter>(
    settings: &P::Settings,
    object: Value,
    server: McpServer,
    stage: Stage,
) -> Value {
    let mut object = Object::new(object);
    let request = DefaultingRequest {
        stage,
        server,
        context: std::collections::BTreeMap::default(),
    };
    P::complete(settings, &mut object, &request);
    object.value().clone()
}

/// A server as a registrar is told of it.
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
        allowed_tools: Vec::new(),
        extra: Vec::new(),
    }
}

/// The same, created at this time.
pub fn registrable_since(namespace: &str, name: &str, created: &str) -> Server {
    Server {
        created: created.into(),
        ..registrable(namespace, name)
    }
}

/// A value that the contract has no field for: one of [`Server::extra`].
pub fn extra(name: &str, json: &str) -> NamedJson {
    NamedJson {
        name: name.into(),
        value: json.into(),
    }
}
