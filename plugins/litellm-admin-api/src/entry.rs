//! One MCP server as LiteLLM should have it.

use litellm_identity::{Mark, write_server_id, write_source_url};
use mcp_plugin_sdk::Server;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// Writes the marks of servers, one after the other: thousands are looked at in each pass, and hardly one has to be sent.
pub(crate) struct Marker<'a> {
    instance: &'a str,
    id: String,
    spec_hash: String,
    source_url: String,
    fields: Vec<u8>,
}

/// The marks of the entry that a server should have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'a> {
    pub(crate) id: &'a str,
    /// Of everything that is sent: an entry that has it is up to date.
    pub(crate) spec_hash: &'a str,
    pub(crate) source_url: &'a str,
}

impl<'a> Marker<'a> {
    pub(crate) fn new(instance: &'a str) -> Self {
        Self {
            instance,
            id: String::new(),
            spec_hash: String::new(),
            source_url: String::new(),
            fields: Vec::new(),
        }
    }

    /// The marks of one server, until the next one is asked for.
    pub(crate) fn marks(&mut self, server: &Server, name: &str) -> Marks<'_> {
        self.spec_hash = self.hash(server, name);
        self.id.clear();
        write_server_id(&mut self.id, self.instance, server);
        self.source_url.clear();
        write_source_url(&mut self.source_url, self.instance, server, &self.spec_hash);
        Marks {
            id: &self.id,
            spec_hash: &self.spec_hash,
            source_url: &self.source_url,
        }
    }

    /// Nothing to keep secret or to trust: it tells versions of one entry apart, and is the same in every release.
    fn hash(&mut self, server: &Server, name: &str) -> String {
        self.fields.clear();
        let Mark {
            managed_by,
            name: own_name,
            namespace,
            owner,
        } = Mark::new(self.instance, server);
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
        for list in [&server.access_groups, &server.allowed_tools] {
            self.length(list.len());
            for text in list {
                self.field(text);
            }
        }
        hex::encode(xxh3_64(&self.fields).to_be_bytes())
    }

    /// With its length, so that no two entries are written alike.
    fn field(&mut self, text: &str) {
        self.length(text.len());
        self.fields.extend_from_slice(text.as_bytes());
    }

    fn length(&mut self, length: usize) {
        self.fields
            .extend_from_slice(&(length as u64).to_le_bytes());
    }
}

/// The whole body of a request.
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
}

#[derive(Serialize)]
struct Info<'a> {
    #[serde(flatten)]
    mark: Mark<'a>,
    spec_hash: &'a str,
}

/// The entry of a server, as it is sent.
pub(crate) fn body(instance: &str, server: &Server, name: &str) -> String {
    let mut marker = Marker::new(instance);
    let Marks {
        id,
        spec_hash,
        source_url,
    } = marker.marks(server, name);
    let body = Body {
        server_id: id,
        server_name: name,
        alias: name,
        url: &server.url,
        transport: &server.transport,
        description: &server.description,
        mcp_access_groups: &server.access_groups,
        allowed_tools: &server.allowed_tools,
        mcp_info: Info {
            mark: Mark::new(instance, server),
            spec_hash,
        },
        source_url,
    };
    // Texts, lists and records of them can always be written.
    serde_json::to_string(&body).unwrap_or_default()
}

/// Bytes of the texts of an entry, without what it takes to write them.
pub(crate) fn size(server: &Server) -> usize {
    let lists = server.access_groups.iter().chain(&server.allowed_tools);
    server.url.len() + server.description.len() + lists.map(String::len).sum::<usize>()
}
