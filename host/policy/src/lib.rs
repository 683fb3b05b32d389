//! The plugins in force, as one value, and how they are asked.
//!
//! - In: MCPPlugins with the bytes of their components ([`PluginLoader`]), and an MCPServer in its [`PolicyContext`].
//! - Out: a [`Snapshot`], immutable, whose plugins validate and complete a server and its objects; registrars that observe
//!   and plan; everything in the operator's own types.
//! - Never: it talks to no cluster (what it needs from one comes through [`ConfigMapLookup`], [`NamespaceLookup`],
//!   [`ServerLookup`] and the lookup of Secrets that connections have),
//!   watches nothing, and writes nothing.
//!
//! [`found`] says what a source has, by [`source`] what is at hand and by the crate `component-source` what is elsewhere;
//! [`required_keys`] says who must have signed it; [`activate`] everything that is checked before it is in force, [`loader`] puts
//! both together; [`evaluate`] asks the plugins of a snapshot, and [`unavailable`] stands for those that are not loaded. [`convert`] and [`registrar`] alone know the types of both
//! sides of the contract.

mod activate;
mod around;
mod context;
mod convert;
mod error;
mod evaluate;
mod found;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod loader;
mod lookup;
mod matching;
mod provenance;
mod reconcile;
mod registrar;
mod required_keys;
mod snapshot;
mod snapshots;
mod source;
mod static_plugins;
mod unavailable;

pub use activate::{ActivePlugin, PluginVersion, Rejection, validate_plugin_spec};
pub use context::{PolicyContext, User, rendered};
pub use error::{NOT_SYNCED, PolicyError};
pub use evaluate::Defaulted;
pub use found::may_move;
pub use loader::{LoadOutcome, PluginLoader};
pub use lookup::{ConfigMapLookup, NamespaceLookup, NoStoredServers, ServerLookup};
pub use mcp_operator_core::namespace::NamespaceFacts;
pub use mcp_plugin_host::contract::{Operation, Stage};
pub use provenance::Provenance;
pub use reconcile::{
    AdmittedServer, InvalidServer, Judgement, ReconcileInputs, default_and_validate, mutate_objects,
};
pub use snapshot::Snapshot;
pub use snapshots::{Behind, Published, SnapshotSender, Snapshots};
pub use static_plugins::{activate_all, activate_file, activate_recorded};
pub use unavailable::UnavailablePlugin;
