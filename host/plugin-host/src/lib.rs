//! Runs policy plugins: WebAssembly components behind the WIT contract of `wit/0.1.0`.
//!
//! ```no_run
//! # async fn example(request: mcp_plugin_host::contract::Request<'_>) -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_plugin_host::{Compiler, Host, HostConfig, Limits};
//!
//! let compiler = Compiler::new("/usr/bin/mcp-operator", ["plugin", "compile"]);
//! let host = Host::new(HostConfig::new("/var/cache/mcp-operator/components", compiler))?;
//! let plugin = host.load("require-team-label", &std::fs::read("require_team_label.wasm")?).await?;
//! let findings = plugin.validate("{}", &request, &Limits::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a component
//!
//! [`Host::load`] (`host`) looks at the bytes, then asks the `cache` for machine code by their digest. If there is none,
//! [`compile`] makes it in a child process with bounded memory and time. `native` maps it into one of the two running
//! engines (`engine`): the pooling one, or, if it needs more than a slot of the pool has, the one on demand. `exports`
//! finds out which of the contract's interfaces it has. The result is a [`Plugin`].
//!
//! # The way of a call
//!
//! [`Plugin::validate`] and the others (`plugin`) wait for a slot (`call`), make a store (`guest`) and a fresh instance in
//! it, and call that through the types of [`contract`]. The instance sees a WASI that gives nothing (`wasi`); its output is kept
//! (`transcript`) and logged at level debug; `limits` meters its memory; the `ticker` interrupts it, so that others can
//! run and so that it ends at its deadline. What goes wrong becomes a [`Fault`] with somebody to [`Blame`] (`blame`,
//! `error`). Nothing of a call is left when it ended or was dropped.
//!
//! # What is trusted
//!
//! Not the component, not what it answers (its size is bounded here; its sense is for the caller to judge), not the
//! compiler's memory. The cache directory is, which is why it must be this user's alone.

pub mod compile;
pub mod contract;

mod blame;
mod cache;
mod call;
mod config;
mod deadline;
mod engine;
mod error;
mod exports;
mod guest;
mod host;
mod limits;
mod native;
mod plugin;
mod running;
mod ticker;
mod transcript;
mod wasi;

pub use cache::Digest;
pub use config::{Compiler, HostConfig, SlotSize};
pub use error::{Blame, Fault, HostError, PluginError};
pub use exports::Interfaces;
pub use host::Host;
pub use limits::Limits;
pub use plugin::Plugin;
