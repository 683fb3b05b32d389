//! Everything of the MCP Server Operator that talks: to the API server, to plugins, to the gateway.
//! What it decides is computed in `mcp-operator-core`. [`run`] wires the parts together.

pub mod cli;
mod cluster;
pub mod connections;
pub mod crd;
mod error;
mod events;
mod health;
mod named_watches;
mod namespaces;
pub mod offline;
mod parts;
pub mod plugins;
pub mod registry;
pub mod run;
pub mod server;
mod settings;
pub mod telemetry;
mod text;
mod watch;
pub mod webhook;

pub use error::Error;
pub use events::Events;
pub use namespaces::Namespaces;
pub use settings::Settings;
