//! Registration through LiteLLM's admin API, `/v1/mcp/server`: servers come and go without a rollout of LiteLLM. LiteLLM
//! needs a database for it.
//!
//! Each plan compares LiteLLM's list with the MCPServers and sends one request for each entry that is missing, changed, or
//! owned by the operator and no longer wanted. The operator owns an entry that has its id (`<instance>.<namespace>.<name>`)
//! and its name in `source_url` or `mcp_info`; no other entry is ever changed, neither those of users nor those of LiteLLM's
//! configuration file. An entry is up to date if the hash in both of these is, and if what LiteLLM shows of it is: an entry
//! that a user edited is put back.
//!
//! ```yaml
//! source: {builtin: litellm-admin-api}
//! connections:
//!   - name: litellm
//!     baseUrl: http://litellm-proxy.litellm.svc:4000
//!     auth: {secretKeyRef: {name: litellm-mcp-operator, key: token}}
//! ```
//!
//! The token is that of a user with the role `proxy_admin`; a key that is limited to the routes `/v1/mcp/server` and
//! `/v1/mcp/server/*` is enough. To such a key LiteLLM shows neither `mcp_info` nor URLs, groups and tools: an edit of those
//! is then not noticed before the MCPServer changes.
//!
//! LiteLLM's list must stay readable, since nothing can be compared without it: namespaces share 28 MiB of it, about 10,000
//! servers, and of those that do not fit the newest are refused.
//!
//! LiteLLM takes a credential for a server from its environment only where its configuration file says so: servers with
//! `spec.litellm.auth` are refused.

mod api;
mod budget;
mod diff;
mod entry;
mod list;
mod plan;
mod room;
mod settings;

use mcp_plugin_sdk::{Plan, Read, Registry, prelude::*};
pub use settings::Settings;

/// The registrar.
pub struct LiteLlmAdminApi;

impl Plugin for LiteLlmAdminApi {
    type Settings = Settings;

    fn description() -> Description {
        Description::new(
            "litellm-admin-api",
            env!("CARGO_PKG_VERSION"),
            "Registers MCP servers with LiteLLM through its admin API",
        )
    }

    fn check_settings(settings: &Settings) -> Vec<Finding> {
        settings.check()
    }
}

impl Registrar for LiteLlmAdminApi {
    fn observe(settings: &Settings) -> Vec<Read> {
        list::observe(settings)
    }

    fn plan(settings: &Settings, registry: &Registry) -> Plan {
        plan::plan(settings, registry)
    }
}

mcp_plugin_sdk::export!(LiteLlmAdminApi: Registrar);

#[cfg(test)]
mod fake_litellm;
#[cfg(test)]
mod tests;
