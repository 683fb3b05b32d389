//! How the operator recognises its own entries in LiteLLM.

use mcp_plugin_sdk::Server;
use mcp_plugin_sdk::v1alpha1::ProtocolVersion;
use serde::Serialize;

use crate::CallOptions;

/// Id of a server in LiteLLM: `<instance>.<namespace>.<name>`. A namespace has no dot, so no two servers share one.
///
/// It is made of names and not of the uid: keys and teams are granted ids, and a server that is made anew keeps its
/// grants.
pub fn server_id(instance: &str, server: &Server) -> String {
    let mut id = String::new();
    write_server_id(&mut id, instance, server);
    id
}

/// Appends [`server_id`] to `text`, for a caller that reuses one buffer for all servers.
pub fn write_server_id(text: &mut String, instance: &str, server: &Server) {
    for part in [instance, ".", &server.namespace, ".", &server.name] {
        text.push_str(part);
    }
}

/// `namespace/name` of the server that has this id.
pub(crate) fn key_of(instance: &str, server_id: &str) -> Option<String> {
    let rest = server_id.strip_prefix(instance)?.strip_prefix('.')?;
    let (namespace, name) = rest.split_once('.')?;
    Some(format!("{namespace}/{name}"))
}

/// Appends LiteLLM's `source_url` of an entry: the path of the MCPServer in the Kubernetes API, the owning installation of
/// the operator, and the hash of what was sent.
///
/// LiteLLM shows it to every key that may list, and `mcp_info` only to keys that are not limited to some routes.
pub fn write_source_url(text: &mut String, instance: &str, server: &Server, spec_hash: &str) {
    let parts = [
        SOURCE,
        "/apis/mcp.litellm.ai/v1alpha1/namespaces/",
        &server.namespace,
        "/mcpservers/",
        &server.name,
        OWNER,
        instance,
        HASH,
        spec_hash,
    ];
    for part in parts {
        text.push_str(part);
    }
}

const SOURCE: &str = "kubernetes://";
const OWNER: &str = "?managed-by=";
const HASH: &str = "&spec=";

/// The owner and the hash in a `source_url`.
pub(crate) fn read_source(source_url: &str) -> Option<(&str, &str)> {
    let (_, mark) = source_url.strip_prefix(SOURCE)?.split_once(OWNER)?;
    mark.rsplit_once(HASH)
}

/// The part of LiteLLM's `mcp_info` that names the owner of an entry. LiteLLM stores it unchanged and shows it to users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnershipMark<'a> {
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

/// LiteLLM's `mcp_info` of an entry: the mark, and what LiteLLM itself reads there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct McpInfo<'a> {
    #[serde(flatten)]
    pub mark: OwnershipMark<'a>,
    /// Whether an empty `allowed_tools` means none. Without it LiteLLM takes it for all, and so an entry whose list somebody
    /// emptied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tool_allowlist_enforced: bool,
    /// The revision of MCP that LiteLLM speaks to the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<&'static str>,
}

impl<'a> McpInfo<'a> {
    /// The information about a server.
    pub fn new(instance: &'a str, server: &'a Server, options: &CallOptions) -> Self {
        Self {
            mark: OwnershipMark::new(instance, server),
            tool_allowlist_enforced: server.tool_allowlist().is_some(),
            protocol_version: options.protocol_version.map(ProtocolVersion::as_str),
        }
    }
}

impl<'a> OwnershipMark<'a> {
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
