//! One MCP server in LiteLLM: as it should be, and as it is.

use std::borrow::Cow;

use litellm_identity::{Mark, server_id};
use mcp_plugin_sdk::Server;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
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
        // Nothing to keep secret or to trust: it tells versions of one entry apart, and is the same in every release.
        wanted.mcp_info.spec_hash = format!("{:016x}", xxh3_64(wanted.body().as_bytes()));
        wanted
    }

    /// Texts, lists and records of them can always be written.
    pub(crate) fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An entry as LiteLLM lists it. What is listed has more fields than what was sent, and other values in some.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Listed<'a> {
    #[serde(borrow)]
    pub(crate) server_id: Cow<'a, str>,
    #[serde(borrow, default)]
    server_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    alias: Option<Text<'a>>,
    #[serde(borrow, default)]
    url: Option<Text<'a>>,
    #[serde(borrow, default)]
    transport: Option<Text<'a>>,
    #[serde(default)]
    is_config: Option<bool>,
    #[serde(borrow, default, rename = "mcp_info", deserialize_with = "mark")]
    mark: ListedMark<'a>,
}

/// A text that is borrowed from the answer wherever that is possible, also inside an `Option`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What we left in `mcp_info`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListedMark<'a> {
    #[serde(borrow)]
    managed_by: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    spec_hash: Cow<'a, str>,
}

/// Others may keep anything in `mcp_info`: what does not look like a mark is none.
fn mark<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<ListedMark<'a>, D::Error> {
    let info = <&'a RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(info.get()).unwrap_or_default())
}

impl Listed<'_> {
    /// Whether it comes from LiteLLM's configuration file, where the API cannot change it.
    pub(crate) fn is_in_file(&self) -> bool {
        self.is_config == Some(true)
    }

    /// Whether this installation made it.
    pub(crate) fn is_ours(&self, instance: &str) -> bool {
        let id = self.server_id.strip_prefix(instance);
        !self.is_in_file()
            && id.is_some_and(|rest| rest.starts_with('.'))
            && self.mark.managed_by == instance
    }

    /// Whether nothing has to be changed. Where a server is reached is compared too, in case that somebody edited it.
    pub(crate) fn is(&self, wanted: &Wanted<'_>) -> bool {
        let same = |listed: &Option<Text<'_>>, wanted: &str| {
            listed.as_ref().is_none_or(|listed| listed.0 == wanted)
        };
        self.mark.spec_hash == wanted.mcp_info.spec_hash
            && same(&self.server_name, wanted.server_name)
            && same(&self.url, wanted.url)
            && same(&self.transport, wanted.transport)
    }

    /// Names that nobody else can have, as LiteLLM compares them.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        [&self.server_name, &self.alias]
            .into_iter()
            .flatten()
            .map(|name| name.0.to_lowercase())
    }

    /// `namespace/name` of the MCPServer that it was made for.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.mark.namespace, self.mark.name)
    }
}
