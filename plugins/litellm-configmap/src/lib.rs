//! Registration through a file: one key of a ConfigMap that LiteLLM reads with `include`, and a rollout of LiteLLM when
//! the content changed, because it reads its files only at its start.
//!
//! The operator owns the whole key, which always holds a valid document (`{}` without servers): LiteLLM does not start
//! without the file, and an `include` that holds `mcp_servers` replaces those of the main file.
//!
//! ```yaml
//! # MCPPlugin.spec.settings, with the defaults
//! namespace: litellm
//! configMap: litellm-mcp-servers
//! key: mcp_servers.yaml
//! workloads: [{kind: Deployment, namespace: litellm, name: litellm-proxy}]
//! # off by default: report a server as registered only when LiteLLM lists it and, with `health`, reaches it; refuse names
//! # that other servers have in LiteLLM
//! verify: {connection: litellm, health: false}
//! ```
//!
//! Other keys of the ConfigMap may belong to others.
//!
//! A ConfigMap holds 1 MiB, which is about 2,500 servers. Namespaces share it: one that needs no more than its part loses
//! nothing, and of the others the newest servers are refused. An entry has 8 KiB at most. `litellm-admin-api` has room for
//! about four times as many.
//!
//! A server with `spec.litellm.auth` gets the credential that LiteLLM has in an environment variable of the name
//! `MCP_TOKEN_<name of the server in LiteLLM, in capital letters>`; without the variable, LiteLLM sends none.

mod auth;
mod plan;
mod render;
mod settings;
mod verify;
mod yaml;

use mcp_plugin_sdk::{Plan, Read, Registry, prelude::*};
pub use settings::Settings;

/// The registrar.
pub struct LiteLlmConfigMap;

impl Plugin for LiteLlmConfigMap {
    type Settings = Settings;

    fn description() -> Description {
        Description::new(
            "litellm-configmap",
            env!("CARGO_PKG_VERSION"),
            "Registers MCP servers with LiteLLM through a ConfigMap that its configuration includes",
        )
    }

    fn check_settings(settings: &Settings) -> Vec<Finding> {
        settings.check()
    }
}

impl Registrar for LiteLlmConfigMap {
    fn observe(settings: &Settings) -> Vec<Read> {
        plan::observe(settings)
    }

    fn plan(settings: &Settings, registry: &Registry) -> Plan {
        plan::plan(settings, registry)
    }
}

mcp_plugin_sdk::export!(LiteLlmConfigMap: Registrar);

#[cfg(test)]
mod fake_cluster;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
