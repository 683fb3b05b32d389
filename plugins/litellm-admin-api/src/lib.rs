//! Registration through LiteLLM's admin API, `/v1/mcp/server`: servers come and go without a rollout of LiteLLM. LiteLLM
//! needs a database for it.
//!
//! Each pass lists what LiteLLM knows and sends one request for each server that is missing, changed, or ours and no
//! longer wanted. What is ours is known by its id (`<instance>.<namespace>.<name>`) together with the operator's name in
//! its `source_url` or `mcp_info`; nothing else is ever changed, neither entries of people nor those of LiteLLM's
//! configuration file. Whether an entry is up to date is told by a hash in both, and by what LiteLLM shows of it: what
//! somebody edited is put back.
//!
//! ```yaml
//! source: {builtin: litellm-admin-api}
//! connections:
//!   - name: litellm
//!     baseUrl: http://litellm-proxy.litellm.svc:4000
//!     auth: {secretKeyRef: {namespace: litellm, name: litellm-mcp-operator, key: token}}
//! ```
//!
//! The token is that of a user with the role `proxy_admin`; a key that is limited to the routes `/v1/mcp/server` and
//! `/v1/mcp/server/*` is enough. To such a key LiteLLM shows neither `mcp_info` nor URLs, groups and tools: what somebody
//! changed of those is then not noticed before the MCPServer changes.
//!
//! LiteLLM takes a credential for a server from its environment only where its configuration file says so: servers with
//! `spec.litellm.auth` are refused.

mod api;
mod budget;
mod difference;
mod entry;
mod listing;
mod plan;
mod settings;

use mcp_plugin_sdk::{Plan, Read, Registry, prelude::*};
use settings::Settings;

struct LiteLlmAdminApi;

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
        listing::observe(settings)
    }

    fn plan(settings: &Settings, registry: &Registry) -> Plan {
        plan::plan(settings, registry)
    }
}

mcp_plugin_sdk::export!(LiteLlmAdminApi: Registrar);

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
