//! What LiteLLM says about its MCP servers: `GET /v1/mcp/server` and `GET /v1/mcp/server/health`.

use std::borrow::Cow;
use std::fmt;

use mcp_plugin_sdk::Server;
use serde::Deserialize;

use crate::mark::{key_of, read_source};
use crate::scan::{Members, Raw, Unreadable, objects};

/// Path of the list.
pub const SERVERS: &str = "/v1/mcp/server";

/// An entry as LiteLLM lists it. What is listed has more members than what was sent, and other values in some.
#[derive(Clone, Debug, Default)]
pub struct Listed<'a> {
    /// Its id.
    pub server_id: Cow<'a, str>,
    server_name: Option<Cow<'a, str>>,
    alias: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    transport: Option<Cow<'a, str>>,
    description: Option<Cow<'a, str>>,
    mcp_access_groups: Option<Raw<'a>>,
    allowed_tools: Option<Raw<'a>>,
    is_config: Option<bool>,
    /// As it is written: it is long, and read only where the source does not say whose the entry is.
    mcp_info: Option<Raw<'a>>,
    source_url: Option<Cow<'a, str>>,
}

/// An answer that is not LiteLLM's list of MCP servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAList {
    at: usize,
}

impl fmt::Display for NotAList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the answer to GET {SERVERS} is not LiteLLM's list of MCP servers, from byte {} on",
            self.at
        )
    }
}

impl From<Unreadable> for NotAList {
    fn from(unreadable: Unreadable) -> Self {
        Self { at: unreadable.at }
    }
}

/// Everything in the answer to [`SERVERS`].
///
/// # Errors
/// When it is something else.
pub fn listed(answer: &str) -> Result<Vec<Listed<'_>>, NotAList> {
    let mut list = Vec::new();
    objects(answer, |members| {
        list.push(Listed::read(members)?);
        Ok(())
    })?;
    Ok(list)
}

/// What we left in `mcp_info`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListedMark<'a> {
    #[serde(borrow)]
    managed_by: Cow<'a, str>,
    #[serde(borrow)]
    spec_hash: Cow<'a, str>,
}

impl<'a> Listed<'a> {
    fn read(members: &mut Members<'a>) -> Result<Self, Unreadable> {
        let (mut entry, mut id) = (Self::default(), None);
        while let Some((key, value)) = members.next()? {
            match &*key {
                "server_id" => id = value.text()?,
                "server_name" => entry.server_name = value.text()?,
                "alias" => entry.alias = value.text()?,
                "url" => entry.url = value.text()?,
                "transport" => entry.transport = value.text()?,
                "description" => entry.description = value.text()?,
                "mcp_access_groups" => entry.mcp_access_groups = Some(value),
                "allowed_tools" => entry.allowed_tools = Some(value),
                "is_config" => entry.is_config = value.read()?,
                "mcp_info" => entry.mcp_info = Some(value),
                "source_url" => entry.source_url = value.text()?,
                _ => {}
            }
        }
        entry.server_id = id.ok_or_else(|| members.here())?;
        Ok(entry)
    }

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
        let info = self.mcp_info.map_or("", Raw::json);
        serde_json::from_str(info).unwrap_or_default()
    }

    /// To a key that is limited to some routes, LiteLLM does not show `mcp_info`.
    fn source(&self) -> Option<(&str, &str)> {
        read_source(self.source_url.as_deref()?)
    }

    /// Whether this is where it says that it comes from.
    pub fn comes_from(&self, source_url: &str) -> bool {
        self.source_url.as_deref() == Some(source_url)
    }

    /// Whether it has this name and is reached so, as far as LiteLLM says.
    pub fn has(&self, name: &str, url: &str, transport: &str) -> bool {
        let same = |listed: &Option<Cow<'_, str>>, wanted: &str| {
            listed.as_ref().is_none_or(|listed| listed == wanted)
        };
        same(&self.server_name, name) && same(&self.url, url) && same(&self.transport, transport)
    }

    /// Whether it says about a server what we would say, as far as LiteLLM shows that: a key that is limited to some
    /// routes is shown empty lists in place of what there is, and no URL.
    pub fn describes(&self, server: &Server) -> bool {
        let same = |listed: Option<Raw<'_>>, wanted: &[String]| {
            listed.is_none_or(|listed| listed.is_list_of(wanted))
        };
        self.url.is_none()
            || self.description.as_deref().unwrap_or_default() == server.description
                && same(self.mcp_access_groups, &server.access_groups)
                && same(self.allowed_tools, &server.allowed_tools)
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
            .map(|name| name.to_lowercase())
    }

    /// `namespace/name` of the MCPServer that this installation made it for.
    pub fn key(&self, instance: &str) -> Option<String> {
        key_of(instance, &self.server_id)
    }
}

#[cfg(test)]
#[path = "listed_tests.rs"]
mod tests;
