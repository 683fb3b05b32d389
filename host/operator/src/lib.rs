//! The program: its command line, and the wiring of the crates that do the work.
//!
//! - In: arguments and environment variables ([`cli`]), signals.
//! - Out: `run` starts every part under one supervisor ([`mod@run`]); `crd` prints or applies the
//!   definitions, `dashboards` prints those of Grafana; `verify` asks whether an installation works; `render` and `check` are
//!   those of `mcp-operator-offline`, `plugin` is that of `mcp-operator-authoring`, of which `push`, `pull` and `verify` are in
//!   [`plugin_registry`].
//! - Never: it decides anything about an MCPServer or a plugin.

pub mod cli;
mod cluster;
pub mod crd;
pub mod dashboards;
mod health;
mod leader;
mod listener;
mod metrics;
#[cfg(test)]
mod pages_tests;
pub mod plugin_registry;
#[cfg(test)]
mod reference_tests;
pub mod run;
mod startup;
pub mod storage_migration;
pub mod telemetry;
pub mod verify;
mod webhook;
