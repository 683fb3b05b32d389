//! One MCP server as LiteLLM should have it.

use litellm_identity::{Listed, Mark, server_id, source_url};
use mcp_plugin_sdk::Server;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

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
    source_url: String,
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
            source_url: String::new(),
        };
        // Nothing to keep secret or to trust: it tells versions of one entry apart, and is the same in every release.
        let hash = format!("{:016x}", xxh3_64(wanted.body().as_bytes()));
        wanted.source_url = source_url(instance, server, &hash);
        wanted.mcp_info.spec_hash = hash;
        wanted
    }

    /// Texts, lists and records of them can always be written.
    pub(crate) fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether nothing has to be changed. Where a server is reached is compared too, in case that somebody edited it.
pub(crate) fn is_up_to_date(listed: &Listed<'_>, wanted: &Wanted<'_>) -> bool {
    listed.spec_hash() == wanted.mcp_info.spec_hash
        && listed.has(wanted.server_name, wanted.url, wanted.transport)
}
