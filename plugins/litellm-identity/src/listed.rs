//! What LiteLLM says about its MCP servers: `GET /v1/mcp/server` and `GET /v1/mcp/server/health`.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::mark::{key_of, read_source};

/// Path of the list.
pub const SERVERS: &str = "/v1/mcp/server";
/// Path of their health. LiteLLM tries all of them for the answer.
pub const HEALTH: &str = "/v1/mcp/server/health";

/// An entry as LiteLLM lists it. What is listed has more fields than what was sent, and other values in some.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed<'a> {
    /// Its id.
    #[serde(borrow)]
    pub server_id: Cow<'a, str>,
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
    /// As text: it is long, and read only where the source does not say whose the entry is.
    #[serde(borrow, default)]
    mcp_info: Option<&'a RawValue>,
    #[serde(borrow, default)]
    source_url: Option<Text<'a>>,
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
    spec_hash: Cow<'a, str>,
}

impl Listed<'_> {
    /// Whether it comes from LiteLLM's configuration file, where the API cannot change it.
    pub fn is_in_file(&self) -> bool {
        self.is_config == Some(true)
    }

    /// Whether this installation made it through the API.
    pub fn is_ours(&self, instance: &str) -> bool {
        let is_owner = || match self.source() {
            Some((owner, _)) => owner == instance,
            None => self.mark().managed_by == instance,
        };
        !self.is_in_file() && self.has_our_id(instance) && is_owner()
    }

    /// Hash of what was sent for it.
    pub fn spec_hash(&self) -> Cow<'_, str> {
        match self.source() {
            Some((_, hash)) => hash.into(),
            None => self.mark().spec_hash,
        }
    }

    /// Others may keep anything in `mcp_info`: what does not look like a mark is none.
    fn mark(&self) -> ListedMark<'_> {
        let info = self.mcp_info.map_or("", RawValue::get);
        serde_json::from_str(info).unwrap_or_default()
    }

    /// To a key that is limited to some routes, LiteLLM does not show `mcp_info`.
    fn source(&self) -> Option<(&str, &str)> {
        read_source(&self.source_url.as_ref()?.0)
    }

    /// Whether it has this name and is reached so, as far as LiteLLM says.
    pub fn has(&self, name: &str, url: &str, transport: &str) -> bool {
        let same = |listed: &Option<Text<'_>>, wanted: &str| {
            listed.as_ref().is_none_or(|listed| listed.0 == wanted)
        };
        same(&self.server_name, name) && same(&self.url, url) && same(&self.transport, transport)
    }

    /// Whether this installation gave it its id, be it in LiteLLM's configuration file.
    pub fn has_our_id(&self, instance: &str) -> bool {
        key_of(instance, &self.server_id).is_some()
    }

    /// Names that nobody else can have, as LiteLLM compares them.
    pub fn names(&self) -> impl Iterator<Item = String> {
        [&self.server_name, &self.alias]
            .into_iter()
            .flatten()
            .map(|name| name.0.to_lowercase())
    }

    /// `namespace/name` of the MCPServer that this installation made it for.
    pub fn key(&self, instance: &str) -> Option<String> {
        key_of(instance, &self.server_id)
    }
}

/// Ids of the servers that LiteLLM tried to reach and could not, from the answer to [`HEALTH`]. None where that is no
/// such answer: then nothing is known.
pub fn unhealthy(answer: &str) -> HashSet<String> {
    #[derive(Deserialize)]
    struct Health {
        server_id: String,
        #[serde(default)]
        status: String,
    }
    let found: Vec<Health> = serde_json::from_str(answer).unwrap_or_default();
    let failing = found
        .into_iter()
        .filter(|health| health.status == "unhealthy");
    failing.map(|health| health.server_id).collect()
}

#[cfg(test)]
#[path = "listed_tests.rs"]
mod tests;
