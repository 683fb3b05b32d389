//! What we leave on an entry to know it again.

use mcp_plugin_sdk::Server;
use serde::Serialize;

/// Id of a server in LiteLLM: `<instance>.<namespace>.<name>`. A namespace has no dot, so no two servers share one.
///
/// It is made of names and not of the uid: keys and teams are granted ids, and a server that is made anew keeps its
/// grants.
pub fn server_id(instance: &str, server: &Server) -> String {
    format!("{instance}.{}.{}", server.namespace, server.name)
}

/// The part of LiteLLM's `mcp_info` that says whose an entry is. LiteLLM keeps it as it is and shows it to its users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark<'a> {
    /// The installation of the operator that owns the entry.
    pub managed_by: &'a str,
    /// Name of the MCPServer.
    pub name: &'a str,
    /// Namespace of the MCPServer.
    pub namespace: &'a str,
    /// The team that owns the server: its label `team`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<&'a str>,
}

impl<'a> Mark<'a> {
    /// The mark of a server.
    pub fn new(instance: &'a str, server: &'a Server) -> Self {
        let team = server.labels.iter().find(|(name, _)| name == "team");
        Self {
            managed_by: instance,
            name: &server.name,
            namespace: &server.namespace,
            owner: team.map(|(_, team)| team.as_str()),
        }
    }
}
