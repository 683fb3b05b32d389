//! Runs policy plugins: WebAssembly components behind the WIT contract.
pub mod compile;
pub mod contract;

mod blame;
mod cache;
mod config;
mod engine;
mod error;
mod exports;
mod guest;
mod host;
mod limits;
mod native;
mod plugin;
mod ticker;
mod transcript;
mod wasi;

pub use cache::Digest;
pub use config::{Compiler, HostConfig};
pub use error::{Blame, Fault, HostError, PluginError};
pub use exports::Interfaces;
pub use host::Host;
pub use limits::Limits;
pub use plugin::Plugin;
