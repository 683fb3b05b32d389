//! Runs policy plugins: WebAssembly components behind the WIT contract of `wit/1.0.0` and `wit/0.1.0`.
//!
//! ```no_run
//! # async fn example(request: mcp_plugin_host::contract::Request<'_>) -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_plugin_host::{Compiler, Host, HostConfig, Limits};
//!
//! let compiler = Compiler::new("/usr/bin/mcp-operator", ["compile-component"]);
//! let host = Host::new(HostConfig::new("/var/cache/mcp-operator/components", compiler))?;
//! let plugin = host.load("require-team-label", &std::fs::read("require_team_label.wasm")?).await?;
//! let findings = plugin.validate("{}", &request, &Limits::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # From a component to a plugin
//!
//! [`Host::load`] (`host`) checks the header of the bytes, then looks up machine code by their digest (`cache`). If there
//! is none, [`compile`] makes it in a child process with bounded memory and time. `native` maps it into one of the two
//! engines that run plugins (`engine`): the pooling one or, for a component that needs more than a slot of the pool has,
//! the on-demand one. `exports` finds the interfaces of the contract that it exports, and by which version
//! (`interfaces`). The result is a [`Plugin`].
//!
//! # A call
//!
//! [`Plugin::validate`] and the others (`plugin`) wait for a slot and for memory (`call`, `quota`), make a store
//! (`store`) with a fresh instance in it, and call that through the types of [`contract`]. The instance gets a WASI
//! without any capability (`wasi`); what it prints is captured (`captured_output`) and logged at level debug; `limits`
//! bounds its memory; the `ticker` interrupts it by wasmtime's epochs, so that other tasks can run and so that it ends at
//! its `deadline`. A failure becomes a [`Fault`] that says whom to [`Blame`] (`blame`, `error`). A call leaves nothing
//! behind, whether it ended or was dropped.
//!
//! # Trust
//!
//! Nothing of the component is trusted: neither its code, nor what it answers (the size is bounded here, the content is
//! for the caller to check), nor what compiling it takes. The cache directory is trusted, so it must be writable by this
//! user only.

#![warn(missing_docs)]

pub mod compile;
pub mod contract;

mod blame;
mod cache;
mod call;
mod captured_output;
mod config;
mod deadline;
mod engine;
mod error;
mod exports;
mod host;
mod interfaces;
mod limits;
mod memory_file;
mod native;
mod observer;
mod plugin;
mod quota;
mod store;
mod ticker;
mod wasi;

pub use cache::Digest;
pub use config::{Compiler, HostConfig, SlotSize};
pub use error::{Blame, Fault, HostError, PluginError};
pub use exports::Interfaces;
pub use host::Host;
pub use interfaces::ContractVersion;
pub use limits::Limits;
pub use observer::{CallObserver, EndedCall};
pub use plugin::Plugin;
