//! The plugins of a cluster: watched, loaded, and published when they change.
//!
//! - In: MCPPlugins, and the ConfigMaps, files, registries and servers that have their components.
//! - Out: a [`Snapshot`](mcp_operator_policy::Snapshot) whenever the plugins in force change, and the status of each
//!   MCPPlugin.
//! - Never: it asks no plugin about an MCPServer, and knows neither admission nor reconciling.
//!
//! [`catalog`] starts the tasks. [`controller`] alone owns the state, one [`plugin_state`] for each MCPPlugin; a
//! [`fallback_loader`] loads in tasks of its own. [`references`] says what of the cluster plugins depend on. [`agreement`] says
//! what a replica puts into force that does not lead. [`component_keeper`] keeps copies of what is in force in the
//! [`component_store`]. [`publisher`] makes known what came of it, [`status_writer`] writes it into the cluster.

mod agreement;
mod catalog;
mod component_keeper;
mod component_store;
mod controller;
mod fallback_loader;
mod pending;
mod plugin_state;
mod publisher;
mod references;
mod status;
mod status_writer;

pub use catalog::PluginCatalog;
