//! LiteLLM's list of MCP servers: `GET /v1/mcp/server`.
//!
//! LiteLLM lists about sixty members of each server and a few matter; serde skips the others without allocating.

use std::borrow::Cow;
use std::fmt;

use mcp_plugin_sdk::Server;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::CallOptions;
use crate::ownership::{key_of, read_source};

/// Path of the list.
pub const SERVERS_PATH: &str = "/v1/mcp/server";

/// An MCP server as LiteLLM lists it, with more members than were sent and different values in some.
#[derive(Clone, Debug, Deserialize)]
pub struct ListedServer<'a> {
    /// Unique in LiteLLM.
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
    #[serde(borrow, default)]
    description: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    mcp_access_groups: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    allowed_tools: Option<&'a RawValue>,
    #[serde(default)]
    is_config: Option<bool>,
    /// Raw, because it is long, and parsed only where `source_url` does not name the owner.
    #[serde(borrow, default, deserialize_with = "present")]
    mcp_info: Option<&'a RawValue>,
    #[serde(borrow, default)]
    source_url: Option<Text<'a>>,
    #[serde(borrow, default)]
    instructions: Option<Text<'a>>,
    #[serde(default)]
    rpm: Option<f64>,
    #[serde(default)]
    max_concurrent_requests: Option<f64>,
    #[serde(default)]
    timeout: Option<f64>,
}

/// A string that is borrowed where nothing in it is escaped. serde does that for a `Cow` and not for an `Option<Cow>`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Any value, `null` included: a list that is `null` is empty, while a missing one is not shown to this key.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// An answer that is not LiteLLM's list of MCP servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidServerList {
    at: usize,
}

impl fmt::Display for InvalidServerList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the answer to GET {SERVERS_PATH} is not LiteLLM's list of MCP servers, from byte {} on",
            self.at
        )
    }
}

impl InvalidServerList {
    fn new(answer: &str, error: &serde_json::Error) -> Self {
        let lines = answer
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1));
        Self {
            at: lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1),
        }
    }
}

/// Parses the answer to [`SERVERS_PATH`].
///
/// # Errors
/// When it is anything else.
pub fn parse_server_list(answer: &str) -> Result<Vec<ListedServer<'_>>, InvalidServerList> {
    serde_json::from_str(answer).map_err(|error| InvalidServerList::new(answer, &error))
}

/// The part of [`OwnershipMark`](crate::OwnershipMark) in `mcp_info` that names the owner.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListedOwner<'a> {
    #[serde(borrow)]
    managed_by: Cow<'a, str>,
    #[serde(borrow)]
    spec_hash: Cow<'a, str>,
}

/// The member of `mcp_info` that says what an empty list of tools means.
const ALLOWLIST_ENFORCED: &str = "tool_allowlist_enforced";

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct ListedAllowlist {
    tool_allowlist_enforced: bool,
}

impl ListedServer<'_> {
    /// Whether it comes from LiteLLM's configuration file, where the API cannot change it.
    pub fn is_from_config_file(&self) -> bool {
        self.is_config == Some(true)
    }

    /// Whether the installation `instance` of the operator made it through the API.
    pub fn is_owned_by(&self, instance: &str) -> bool {
        let is_owner = || match self.source() {
            Some((owner, _)) => owner == instance,
            None => self.mark().managed_by == instance,
        };
        !self.is_from_config_file() && self.has_id_of(instance) && is_owner()
    }

    /// Hash of what the operator sent for it.
    pub fn spec_hash(&self) -> Cow<'_, str> {
        match self.source() {
            Some((_, hash)) => hash.into(),
            None => self.mark().spec_hash,
        }
    }

    /// Empty where `mcp_info` has no ownership mark: users may keep anything in it.
    fn mark(&self) -> ListedOwner<'_> {
        let info = self.mcp_info.map_or("", RawValue::get);
        serde_json::from_str(info).unwrap_or_default()
    }

    /// Owner and hash from `source_url`, which is shown even to keys that are limited to some routes; `mcp_info` is not.
    fn source(&self) -> Option<(&str, &str)> {
        read_source(&self.source_url.as_ref()?.0)
    }

    /// Whether it has exactly this `source_url`.
    pub fn has_source_url(&self, source_url: &str) -> bool {
        self.source_url
            .as_ref()
            .is_some_and(|listed| listed.0 == source_url)
    }

    /// Whether it has this name, which is that of its tools too, this URL and transport, as far as LiteLLM shows them.
    pub fn has_endpoint(&self, name: &str, url: &str, transport: &str) -> bool {
        let same = |listed: &Option<Text<'_>>, wanted: &str| {
            listed.as_ref().is_none_or(|listed| listed.0 == wanted)
        };
        same(&self.server_name, name)
            && same(&self.alias, name)
            && same(&self.url, url)
            && same(&self.transport, transport)
    }

    /// Whether it has the description, groups and tools of `server`, as far as LiteLLM shows them: a key that is limited to
    /// some routes sees no URL, and empty lists instead of the real ones.
    pub fn has_details_of(&self, server: &Server) -> bool {
        let same = |listed: Option<&RawValue>, wanted: &[String]| {
            listed.is_none_or(|listed| is_list_of(listed, wanted))
        };
        let description = self.description.as_ref().map_or("", |text| &*text.0);
        self.url.is_none()
            || description == server.description
                && same(self.mcp_access_groups, &server.access_groups)
                && same(
                    self.allowed_tools,
                    server.tool_allowlist().unwrap_or_default(),
                )
                && self.is_allowlist_enforced(server.tool_allowlist().is_some())
                && self.has_options(&CallOptions::of(server))
    }

    /// Whether it has what the server says about calls. What a server says nothing about is left to LiteLLM's administrator.
    fn has_options(&self, options: &CallOptions) -> bool {
        let same = |listed: Option<f64>, wanted: Option<i32>| {
            wanted.is_none_or(|wanted| listed == Some(f64::from(wanted)))
        };
        let limits = &options.limits;
        let instructions = self.instructions.as_ref().map(|text| &*text.0);
        same(self.rpm, limits.requests_per_minute)
            && same(self.max_concurrent_requests, limits.max_concurrent_requests)
            && same(self.timeout, limits.timeout_seconds)
            && (options.instructions.is_none() || instructions == options.instructions.as_deref())
    }

    /// Whether LiteLLM takes an empty list of tools for none, as `wanted`. Not shown to every key.
    fn is_allowlist_enforced(&self, wanted: bool) -> bool {
        let Some(info) = self.mcp_info else {
            return true;
        };
        let info = info.get();
        // It is there for few servers, and the rest is long.
        let is_there = info.contains(ALLOWLIST_ENFORCED);
        let enforced = is_there.then(|| serde_json::from_str::<ListedAllowlist>(info).ok());
        let found = enforced.flatten();
        found.is_some_and(|found| found.tool_allowlist_enforced) == wanted
    }

    /// Whether its id is one that the installation `instance` gives, in the database or in the configuration file.
    pub fn has_id_of(&self, instance: &str) -> bool {
        key_of(instance, &self.server_id).is_some()
    }

    /// Its name and alias in lower case, as LiteLLM compares them: no other server can have these names.
    pub fn names(&self) -> impl Iterator<Item = String> {
        [&self.server_name, &self.alias]
            .into_iter()
            .flatten()
            .map(|name| name.0.to_lowercase())
    }

    /// `namespace/name` of the MCPServer that the installation `instance` made it for.
    pub fn key(&self, instance: &str) -> Option<String> {
        key_of(instance, &self.server_id)
    }
}

/// Whether a value is a list of these strings, in any order. `null` is an empty list.
fn is_list_of(listed: &RawValue, wanted: &[String]) -> bool {
    if matches!(listed.get(), "[]" | "null") {
        return wanted.is_empty();
    }
    let Ok(mut listed) = serde_json::from_str::<Vec<String>>(listed.get()) else {
        return false;
    };
    let mut wanted: Vec<&String> = wanted.iter().collect();
    listed.sort_unstable();
    wanted.sort_unstable();
    listed.iter().eq(wanted)
}

#[cfg(test)]
#[path = "server_list_tests.rs"]
mod tests;
