//! The plugins in force.
//!
//! [`Catalogue`] watches MCPPlugins, and its [`controller`] makes each of them an [`ActivePlugin`]: [`source`] has the
//! bytes, [`activate`] everything that is checked before, [`attempt`] puts both together, [`entry`] knows when one is
//! tried again. All of them together are a [`Snapshot`], which the [`publisher`] makes known: one immutable value that a
//! request takes once; [`evaluate`] asks its plugins. [`given`] does the same once, with plugins from files or from a
//! record. [`convert`] and [`registrar`] alone know the types of both sides of the contract.

mod activate;
mod attempt;
mod catalogue;
mod controller;
mod convert;
mod entry;
mod evaluate;
mod given;
mod matching;
mod publisher;
mod registrar;
mod snapshot;
mod source;
mod status;
mod subject;
mod write_status;

pub use activate::{ActivePlugin, Rejection};
pub use catalogue::{Catalogue, CatalogueOptions};
pub use evaluate::Defaulted;
pub(crate) use given::{activate_again, activate_all};
pub use mcp_plugin_host::contract::{Operation, Stage};
pub use snapshot::{Snapshot, Snapshots};
pub(crate) use subject::rendered;
pub use subject::{NamespaceFacts, Subject, User};
