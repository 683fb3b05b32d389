//! How an MCPServer is named here, and how it comes.

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;
use mcp_operator_api::v1alpha1::McpServer;

/// An MCPServer as it comes from the API server: one that cannot be read must not hide the others.
pub type Guarded = DeserializeGuard<McpServer>;
/// Reference to an MCPServer.
pub type ServerRef = ObjectRef<Guarded>;

/// A server, as watches name it.
pub(super) fn reference(server: &McpServer) -> ServerRef {
    ObjectRef::new(&server.name_any()).within(&server.namespace().unwrap_or_default())
}
