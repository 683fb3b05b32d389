//! One MCP server in LiteLLM: as it should be, and as it is.

use litellm_identity::{Mark, server_id};
use mcp_plugin_sdk::Server;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of the hash that is kept: enough to tell versions of one entry apart.
const HASH: usize = 8;

/// An entry as it should be: the whole body of a request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Wanted<'a> {
    server_id: String,
    server_name: &'a str,
    alias: &'a str,
    url: &'a str,
    transport: &'a str,
    description: &'a str,
    mcp_access_groups: &'a [String],
    allowed_tools: &'a [String],
    mcp_info: Info<'a>,
}

#[derive(Clone, Debug, Serialize)]
struct Info<'a> {
    #[serde(flatten)]
    mark: Mark<'a>,
    spec_hash: String,
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(instance: &'a str, server: &'a Server, name: &'a str) -> Self {
        let mut wanted = Self {
            server_id: server_id(instance, server),
            server_name: name,
            alias: name,
            url: &server.url,
            transport: &server.transport,
            description: &server.description,
            mcp_access_groups: &server.access_groups,
            allowed_tools: &server.allowed_tools,
            mcp_info: Info {
                mark: Mark::new(instance, server),
                spec_hash: String::new(),
            },
        };
        let hash = Sha256::digest(wanted.body());
        wanted.mcp_info.spec_hash = hex::encode(&hash[..HASH]);
        wanted
    }

    /// Texts, lists and records of them can always be written.
    pub(crate) fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An entry as LiteLLM lists it. What is listed has more fields than what was sent, and other values in some.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) server_id: String,
    #[serde(default)]
    server_name: Option<String>,
    #[serde(default)]
    alias: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    transport: Option<String>,
    #[serde(default)]
    is_config: Option<bool>,
    #[serde(default)]
    mcp_info: Value,
}

impl Listed {
    /// Whether it comes from LiteLLM's configuration file, where the API cannot change it.
    pub(crate) fn is_in_file(&self) -> bool {
        self.is_config == Some(true)
    }

    /// Whether this installation made it.
    pub(crate) fn is_ours(&self, instance: &str) -> bool {
        let id = self.server_id.strip_prefix(instance);
        !self.is_in_file()
            && id.is_some_and(|rest| rest.starts_with('.'))
            && self.mcp_info["managed_by"] == instance
    }

    /// Whether nothing has to be changed. Where a server is reached is compared too, in case that somebody edited it.
    pub(crate) fn is(&self, wanted: &Wanted<'_>) -> bool {
        let same = |listed: &Option<String>, wanted: &str| {
            listed.as_deref().is_none_or(|listed| listed == wanted)
        };
        self.mcp_info["spec_hash"] == wanted.mcp_info.spec_hash
            && same(&self.server_name, wanted.server_name)
            && same(&self.url, wanted.url)
            && same(&self.transport, wanted.transport)
    }

    /// Names that nobody else can have, as LiteLLM compares them.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        [&self.server_name, &self.alias]
            .into_iter()
            .flatten()
            .map(|name| name.to_lowercase())
    }

    /// `namespace/name` of the MCPServer that it was made for.
    pub(crate) fn key(&self) -> String {
        let part = |name: &str| self.mcp_info[name].as_str().unwrap_or_default();
        format!("{}/{}", part("namespace"), part("name"))
    }
}
