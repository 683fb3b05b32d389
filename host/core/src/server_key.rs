//! Namespace and name of an MCPServer.

use std::fmt;

use kube::ResourceExt;

/// Namespace and name of an MCPServer: by which caches, queues, logs and registrations know it. Shown as `namespace/name`.
///
/// An MCPServer that is made again after a deletion has the same key and another uid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey {
    pub namespace: String,
    pub name: String,
}

impl ServerKey {
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The key of an MCPServer, however it is held. Only what an API server has stored has both parts; of anything else
    /// the missing part is empty.
    pub fn of(server: &impl ResourceExt) -> Self {
        Self::new(server.namespace().unwrap_or_default(), server.name_any())
    }
}

impl fmt::Display for ServerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}
