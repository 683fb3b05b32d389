//! A server's entry in LiteLLM as it should be.

use litellm_identity::{CallOptions, McpInfo, OwnershipMark, write_server_id, write_source_url};
use mcp_plugin_sdk::Server;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// Computes the identity of one server after the other in the same buffers: each plan compares thousands of servers and
/// sends hardly any.
pub(crate) struct IdentityWriter<'a> {
    instance: &'a str,
    id: String,
    spec_hash: String,
    source_url: String,
    fields: Vec<u8>,
}

/// What identifies the entry of a server, and its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryIdentity<'a> {
    pub(crate) id: &'a str,
    /// Hash of everything that is sent. An entry with this hash is up to date unless a user edited it.
    pub(crate) spec_hash: &'a str,
    pub(crate) source_url: &'a str,
}

impl<'a> IdentityWriter<'a> {
    pub(crate) fn new(instance: &'a str) -> Self {
        Self {
            instance,
            id: String::new(),
            spec_hash: String::new(),
            source_url: String::new(),
            fields: Vec::new(),
        }
    }

    /// The identity of one server. It borrows the buffers, so it is valid until the next call.
    pub(crate) fn identity(&mut self, server: &Server, name: &str) -> EntryIdentity<'_> {
        self.spec_hash = self.hash(server, name);
        self.id.clear();
        write_server_id(&mut self.id, self.instance, server);
        self.source_url.clear();
        write_source_url(&mut self.source_url, self.instance, server, &self.spec_hash);
        EntryIdentity {
            id: &self.id,
            spec_hash: &self.spec_hash,
            source_url: &self.source_url,
        }
    }

    /// Distinguishes versions of one entry, so it need not be cryptographic. It must stay the same in every release: a
    /// change of it updates every entry.
    fn hash(&mut self, server: &Server, name: &str) -> String {
        self.fields.clear();
        let OwnershipMark {
            managed_by,
            name: own_name,
            namespace,
            owner,
        } = OwnershipMark::new(self.instance, server);
        let texts = [
            name,
            &server.url,
            &server.transport,
            &server.description,
            managed_by,
            own_name,
            namespace,
            owner.unwrap_or_default(),
        ];
        for text in texts {
            self.field(text);
        }
        let tools = server.tool_allowlist();
        for list in [&server.access_groups, tools.unwrap_or_default()] {
            self.length(list.len());
            for text in list {
                self.field(text);
            }
        }
        // What came later is only in the hashes of those that have it.
        if tools.is_some() {
            self.field("tool_allowlist_enforced");
        }
        for extra in &server.extra {
            self.field(&extra.name);
            self.field(&extra.value);
        }
        hex::encode(xxh3_64(&self.fields).to_be_bytes())
    }

    /// Prefixed by its length, so that two different entries never give the same bytes.
    fn field(&mut self, text: &str) {
        self.length(text.len());
        self.fields.extend_from_slice(text.as_bytes());
    }

    fn length(&mut self, length: usize) {
        self.fields
            .extend_from_slice(&(length as u64).to_le_bytes());
    }
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    server_id: &'a str,
    server_name: &'a str,
    alias: &'a str,
    url: &'a str,
    transport: &'a str,
    description: &'a str,
    mcp_access_groups: &'a [String],
    allowed_tools: &'a [String],
    mcp_info: Info<'a>,
    source_url: &'a str,
    // What is null takes away what was there before.
    rpm: Option<i32>,
    max_concurrent_requests: Option<i32>,
    timeout: Option<i32>,
    instructions: Option<&'a str>,
}

#[derive(Serialize)]
struct Info<'a> {
    #[serde(flatten)]
    info: McpInfo<'a>,
    spec_hash: &'a str,
}

/// The JSON of an entry, as it is sent.
pub(crate) fn body(instance: &str, server: &Server, name: &str) -> String {
    let mut writer = IdentityWriter::new(instance);
    let EntryIdentity {
        id,
        spec_hash,
        source_url,
    } = writer.identity(server, name);
    let options = CallOptions::of(server);
    let body = Body {
        server_id: id,
        server_name: name,
        alias: name,
        url: &server.url,
        transport: &server.transport,
        description: &server.description,
        mcp_access_groups: &server.access_groups,
        allowed_tools: server.tool_allowlist().unwrap_or_default(),
        mcp_info: Info {
            info: McpInfo::new(instance, server, &options),
            spec_hash,
        },
        source_url,
        rpm: options.limits.requests_per_minute,
        max_concurrent_requests: options.limits.max_concurrent_requests,
        timeout: options.limits.timeout_seconds,
        instructions: options.instructions.as_deref(),
    };
    // Serialising strings, and lists and structs of them, cannot fail.
    serde_json::to_string(&body).unwrap_or_default()
}

/// Bytes of the strings of an entry, without JSON syntax.
pub(crate) fn size(server: &Server) -> usize {
    let tools = server.tool_allowlist().unwrap_or_default();
    let lists = server.access_groups.iter().chain(tools);
    let extra = server.extra.iter().map(|extra| &extra.value);
    let texts = lists.chain(extra).map(String::len).sum::<usize>();
    server.url.len() + server.description.len() + texts
}

/// Bytes of an entry in LiteLLM's list, about: what was sent, and some sixty members besides.
pub(crate) fn listed_size(server: &Server) -> usize {
    let tools = server.tool_allowlist().unwrap_or_default();
    let lists = server.access_groups.iter().chain(tools);
    let lists = lists.map(|text| json_size(text) + 1).sum::<usize>();
    let extra = server.extra.iter().map(|extra| json_size(&extra.value));
    let extra = extra.sum::<usize>();
    LISTED_MEMBERS + json_size(&server.url) + json_size(&server.description) + lists + extra
}

/// Bytes of the members of an entry that do not follow from the server.
const LISTED_MEMBERS: usize = 2 << 10;

/// Bytes of a string in JSON, quotes included.
fn json_size(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}
